"""All checks in one place: which streams each is about, and which are asked of the corpus as a whole."""

from __future__ import annotations

from vaak.audit import codes, duplicates, provenance, rates, sources, transcripts, writing
from vaak.audit.finding import CorpusCheck, ItemCheck

_AUDIO, _PAIRED, _TEXT = frozenset({"raw", "paired"}), frozenset({"paired"}), frozenset({"text"})
_WRITTEN, _ALL = _PAIRED | _TEXT, _AUDIO | _TEXT

# Asked of each sample by itself.
ITEM_CHECKS: dict[ItemCheck, frozenset[str]] = {
    codes.codes_in_range: _AUDIO,
    codes.codes_in_vocabulary: _AUDIO,
    codes.codec_is_the_same: _AUDIO,
    codes.duration_matches_codes: _AUDIO,
    codes.no_repeated_codes: _AUDIO,
    codes.no_repeated_phrase: _AUDIO,
    codes.codes_vary: _AUDIO,
    codes.text_ids_in_tokenizer: _TEXT,
    codes.text_documents_end: _TEXT,
    codes.text_documents_have_length: _TEXT,
    transcripts.transcript_has_words: _PAIRED,
    transcripts.transcript_does_not_loop: _PAIRED,
    transcripts.script_matches_language: _WRITTEN,
    transcripts.letters_match_language: _WRITTEN,
    transcripts.kind_matches_script: _PAIRED,
    writing.characters_are_text: _WRITTEN,
    writing.text_is_composed: _WRITTEN,
    writing.bytes_were_read_right: _WRITTEN,
    writing.no_markup: _WRITTEN,
    writing.no_control_tokens: _WRITTEN,
    provenance.provenance_is_known: _ALL,
    provenance.transcript_hash_matches: _PAIRED,
    provenance.place_in_source_is_possible: _AUDIO,
    provenance.recording_reaches_the_codec: _AUDIO,
    provenance.speaker_is_a_name: _AUDIO,
    provenance.stated_quality_is_fair: _AUDIO,
}

# Asked once, of the figures of all examined samples.
CORPUS_CHECKS: tuple[CorpusCheck, ...] = (
    sources.source_codes_vary,
    sources.lengths_differ,
    sources.sources_name_speakers,
    duplicates.no_duplicate_codes,
    duplicates.no_duplicate_documents,
    duplicates.no_duplicate_transcripts,
    duplicates.segments_do_not_overlap,
    duplicates.held_out_codes_unseen,
    duplicates.held_out_transcripts_unseen,
    duplicates.held_out_speakers_unseen,
    rates.characters_per_second,
    rates.characters_per_code,
    rates.usual_duration,
)
