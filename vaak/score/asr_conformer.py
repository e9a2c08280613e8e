"""AI4Bharat's IndicConformer 600M: its published ONNX encoder and CTC head through onnxruntime, greedy decoding.

The folder is laid out as the Hub has it. Read are `config.json` and, in `assets/`, `encoder.onnx` with its weights in
some 370 files beside it, `ctc_decoder.onnx`, `vocab.json` {language: 257 pieces} and `language_masks.json` {language:
5,633 booleans}. The head knows 22 languages with 256 pieces each and one blank that all share, its last class; a
language's mask picks its pieces and the blank. Never opened are the repository's Python, its TorchScript preprocessor
(`vaak.score.nemo_mel` computes the same) and its RNN-T parts. Nothing is downloaded and no code of the folder runs.

Not yet run on the published weights, whose terms one has to accept on the Hub: tested on random weights of this layout.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vaak.errors import BadInput
from vaak.languages import LANGUAGES, language_of
from vaak.score.asr import RATE, at_rate, windows
from vaak.score.likelihood import LEAST, ctc_log_likelihood
from vaak.score.nemo_mel import BANDS, HOP, SHORTEST, nemo_mel
from vaak.score.normalise import normalise_for_scoring
from vaak.score.sanity import MIN_SPEECH_SHARE, speech_share
from vaak.storage.files import hash_json, read_json, sha256_file

REPOSITORY = "ai4bharat/indic-conformer-600m-multilingual"
REVISION = "e9b71b369c048e2c6b634d4c131061c34e441179"
_REMEDY = f"download {REPOSITORY} at revision {REVISION} with --local-dir again, see docs/score.md"

# Attention is over the whole window: time and memory grow with its square.
_WINDOW_S = 28
_FILES = ("config.json", "assets/ctc_decoder.onnx", "assets/vocab.json", "assets/language_masks.json")
_ENCODER = (["audio_signal", "length"], ["outputs", "encoded_lengths"])
_HEAD = (["encoder_output"], ["logprobs"])
# Of `assets/`, what is not read here and so not hashed: TorchScript and the transducer.
_UNREAD_SUFFIXES, _UNREAD_PREFIXES = (".ts",), ("joint_", "rnnt_")


class ConformerAsr:
    """An IndicConformer in a folder; the hash is over every file that decides its text.

    It writes an unknown piece as "<unk>", as the published decoder does: a word that is wrong. Any number of threads may
    transcribe at once, each on one core. Raises `BadInput` naming the file that is missing, damaged or of another shape.
    """

    def __init__(self, folder: Path):
        for name in _FILES:
            if not (folder / name).is_file():
                raise BadInput(f"{folder / name} is missing, so this is no whole IndicConformer; {_REMEDY}")
        masks, vocab = (_read_table(folder / "assets" / name) for name in ("language_masks.json", "vocab.json"))
        blank = _read_table(folder / "config.json").get("BLANK_ID")
        if not isinstance(blank, int):
            raise BadInput(f"{folder / 'config.json'} has no whole number as BLANK_ID; {_REMEDY}")
        self._columns, self._pieces = {}, {}
        for code in sorted(LANGUAGES.keys() & masks.keys() & vocab.keys()):
            self._columns[code] = _columns_of(folder, code, masks[code], blank)
            self._pieces[code] = _pieces_of(folder, code, vocab[code], blank)
        if not self._columns:
            raise BadInput(f"{folder / 'assets/vocab.json'} has none of {', '.join(LANGUAGES)}; {_REMEDY}")
        self._encoder = _session(folder / "assets" / "encoder.onnx", *_ENCODER)
        self._head = _session(folder / "assets" / "ctc_decoder.onnx", *_HEAD)
        self._check_shapes(folder, {len(mask) for mask in masks.values()})
        self.name = f"{folder.name}-ctc-greedy"
        self.hash = _hash_of(folder)
        self.languages = self.scored = frozenset(self._columns)

    def _check_shapes(self, folder: Path, mask_lengths: set[int]) -> None:
        """One second of nothing through both networks, whose shapes an ONNX file need not declare."""
        try:
            scores = self._scores(np.zeros(RATE, np.float32))
        except Exception as error:
            raise BadInput(
                f"{folder / 'assets'}: encoder.onnx and ctc_decoder.onnx do not run on one second of {BANDS} bands "
                f"({_first_line(error)}); {_REMEDY}"
            ) from error
        if scores.ndim != 2 or mask_lengths != {scores.shape[-1]}:
            raise BadInput(
                f"{folder / 'assets/ctc_decoder.onnx'} gives {scores.shape[-1]} classes and language_masks.json has "
                f"{', '.join(map(str, sorted(mask_lengths)))}; {_REMEDY}"
            )

    def transcribe(self, wave: np.ndarray, rate: int, language: str) -> str:
        code = self._offered(language)
        wave = at_rate(wave, rate)
        if speech_share(wave, RATE) < MIN_SPEECH_SHARE:
            return ""
        heard = [self._window(piece, code) for piece in windows(wave, RATE, _WINDOW_S) if len(piece) >= SHORTEST]
        return " ".join(filter(None, heard))

    def likelihood(self, wave: np.ndarray, rate: int, language: str, text: str) -> float:
        """See `vaak.score.likelihood`. A token is one of the fewest pieces that spell the text as it is scored, without signs.

        Classes of other languages are left out and the rest normalised. Raises `BadInput` for another language, for a wave
        beyond the window of 28 s, and for a text that no pieces spell.
        """
        code = self._offered(language)
        wave = at_rate(wave, rate)
        if len(wave) > _WINDOW_S * RATE:
            raise BadInput(
                f"{len(wave) / RATE:.1f} s are longer than the {_WINDOW_S} s that {self.name} hears at once; cut it"
            )
        spelled = "".join(f"▁{word}" for word in normalise_for_scoring(text, language).split())
        if len(wave) < SHORTEST:
            return LEAST
        scores = self._scores(wave)[:, self._columns[code]].astype(np.float64)
        scores -= np.logaddexp.reduce(scores, axis=1, keepdims=True)
        whole, tokens = ctc_log_likelihood(scores, spelled, self._pieces[code])
        if not tokens:
            raise BadInput(f"{text!r:.80} cannot be spelled with the pieces that {self.name} has for {code}")
        return max(LEAST, whole / tokens)

    def _offered(self, language: str) -> str:
        code = language_of(language)
        if code not in self.languages:
            raise BadInput(f"{self.name} has no {code}; it offers {', '.join(sorted(self.languages))}")
        return code

    def _window(self, wave: np.ndarray, code: str) -> str:
        chosen = self._scores(wave)[:, self._columns[code]]
        return greedy_text(chosen, self._pieces[code])

    def _scores(self, wave: np.ndarray) -> np.ndarray:
        """float32[frames, classes] of a wave at 16 kHz; frames of the encoder's own padding are left out."""
        features = nemo_mel(wave)[None]
        length = np.array([len(wave) // HOP + 1], np.int64)
        encoded, lengths = self._encoder.run(_ENCODER[1], {"audio_signal": features, "length": length})
        (scores,) = self._head.run(_HEAD[1], {"encoder_output": encoded})
        return scores[0][: int(lengths[0])]


def greedy_text(scores: np.ndarray, pieces: list[str]) -> str:
    """The most probable path of CTC: repeats are one, then blanks go; SentencePiece's ▁ begins a word.

    scores: float[frames, n], the last class is the blank. pieces: n - 1 or more strings. Graves et al. 2006.
    """
    best = scores.argmax(axis=1)
    kept = best[np.flatnonzero(np.diff(best, prepend=-1))]
    return "".join(pieces[i] for i in kept if i != scores.shape[1] - 1).replace("▁", " ").strip()


def _read_table(path: Path) -> dict[str, Any]:
    found = read_json(path)
    if not isinstance(found, dict):
        raise BadInput(f"{path} holds no table; {_REMEDY}")
    return found


def _columns_of(folder: Path, code: str, mask: Any, blank: int) -> np.ndarray:
    """The classes of one language, the shared blank last."""
    columns = np.flatnonzero(np.array(mask)) if isinstance(mask, list) else np.zeros(0, int)
    if not len(columns) or columns[-1] != len(mask) - 1 or len(columns) - 1 != blank:
        raise BadInput(
            f"{folder / 'assets/language_masks.json'}, language {code}, does not pick {blank} pieces and the last class, "
            f"the blank that config.json has as BLANK_ID; {_REMEDY}"
        )
    return columns


def _pieces_of(folder: Path, code: str, pieces: Any, blank: int) -> list[str]:
    # The published lists have one entry more, where the blank is; it is never read.
    if not isinstance(pieces, list) or len(pieces) < blank or not all(isinstance(piece, str) for piece in pieces):
        raise BadInput(f"{folder / 'assets/vocab.json'}, language {code}, is no list of {blank} pieces; {_REMEDY}")
    return pieces


def _session(path: Path, inputs: list[str], outputs: list[str]) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has a class for each way, none of them public
        raise BadInput(f"{path} or the weights beside it cannot be opened ({_first_line(error)}); {_REMEDY}") from error
    found = [one.name for one in session.get_inputs()], [one.name for one in session.get_outputs()]
    if found != (inputs, outputs):
        raise BadInput(
            f"{path} takes {', '.join(found[0])} and gives {', '.join(found[1])}, not {', '.join(inputs)} and "
            f"{', '.join(outputs)}; {_REMEDY}"
        )
    return session


def _hash_of(folder: Path) -> str:
    read = [folder / "config.json"] + [
        path
        for path in sorted((folder / "assets").iterdir())
        if path.is_file() and not path.name.endswith(_UNREAD_SUFFIXES) and not path.name.startswith(_UNREAD_PREFIXES)
    ]
    return hash_json({path.name: sha256_file(path) for path in read})


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
