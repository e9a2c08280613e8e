"""The mixture part of a recipe: what shares of the target tokens are wanted. Numbers only; no data is read here."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from vaak.languages import language_of

Share = Annotated[float, Field(ge=0.0, le=1.0)]
# Shares written by people (0.333, 0.667) are taken as adding up within this.
TOLERANCE = 1e-3
STREAMS = ("raw", "paired", "text")


class Frozen(BaseModel):
    """A settings model: immutable, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RestRule(Frozen):
    """The languages that no cap and no fixed share names: a pool, divided in proportion to sqrt(tokens).

    `share` is what the pool gets at least; it also takes what capped languages leave over.
    `floor` is a share of the whole stream that each language of the pool gets at least.
    """

    share: Share
    floor: Share = 0.0


class LanguageRule(Frozen):
    """Shares of one stream's target tokens by language. The default is the audio pool of the first pretraining stage.

    No language is passed more than `epoch_limit` times, if it is given, while another may take its place.
    """

    caps: dict[str, Share] = {"en": 0.45}
    fixed: dict[str, Share] = {"hi": 0.15}
    rest: RestRule | None = RestRule(share=0.40, floor=0.02)
    epoch_limit: Annotated[float, Field(gt=0)] | None = None

    @field_validator("caps", "fixed")
    @classmethod
    def _known(cls, value: dict[str, float]) -> dict[str, float]:
        return {language_of(tag): share for tag, share in value.items()}

    @model_validator(mode="after")
    def _adds_up(self) -> LanguageRule:
        twice = set(self.caps) & set(self.fixed)
        if twice:
            raise ValueError(f"language {sorted(twice)[0]!r} has both a cap and a fixed share; keep one")
        rest = self.rest.share if self.rest else 0.0
        fixed, caps = sum(self.fixed.values()), sum(self.caps.values())
        if fixed + rest > 1 + TOLERANCE:
            raise ValueError(f"fixed language shares and the rest's share add up to {fixed + rest:.3f}, more than 1")
        if fixed + caps + rest < 1 - TOLERANCE:
            raise ValueError(f"language shares and caps add up to {fixed + caps + rest:.3f}, less than 1")
        return self


class StreamRule(Frozen):
    """One stream: its share of all target tokens, and which of its samples take part.

    `sources` are shares within the stream by source. With them, source and language shares are met together by the
    solution nearest to the data (minimum relative entropy); without them the sources of a language are weighted by the
    tokens they have. `tiers` keeps only these quality tiers; `long_form_only` only samples marked as long form.
    """

    share: Share
    sources: dict[str, Share] | None = None
    tiers: tuple[str, ...] | None = None
    long_form_only: bool = False
    languages: LanguageRule | None = None

    @model_validator(mode="after")
    def _adds_up(self) -> StreamRule:
        if self.sources is not None and abs(sum(self.sources.values()) - 1) > TOLERANCE:
            raise ValueError(f"source shares add up to {sum(self.sources.values()):.3f}, not 1")
        return self


class MixtureSettings(Frozen):
    """Shares of target token mass by stream, source and language, and the filters in front of them.

    `languages` holds for every stream that has no rule of its own. `transcript_kinds` are the kinds of transcript that
    paired samples may have. A stream, source or language that the plan passes more than `max_epochs` times is warned about.
    `voice_description_keep` is the share of paired samples whose voice description, where they have one, is shown.
    `length_buckets` gathers paired documents of about one length in each row instead of fitting rows as full as can be.
    """

    streams: dict[str, StreamRule]
    languages: LanguageRule = LanguageRule()
    transcript_kinds: tuple[str, ...] = ("native",)
    voice_description_keep: Share = 1.0
    max_epochs: Annotated[float, Field(gt=0)] = 4.0
    text_in_sft: bool = False
    length_buckets: bool = False

    @model_validator(mode="after")
    def _adds_up(self) -> MixtureSettings:
        unknown = set(self.streams) - set(STREAMS)
        if unknown:
            raise ValueError(f"stream {sorted(unknown)[0]!r} is unknown; the streams are {', '.join(STREAMS)}")
        total = sum(rule.share for rule in self.streams.values())
        if abs(total - 1) > TOLERANCE:
            raise ValueError(f"stream shares add up to {total:.3f}, not 1")
        return self

    def for_fingerprint(self) -> dict[str, Any]:
        """The settings as JSON, without those that came later and are at what was done before them: plans stay the same."""
        tree = self.model_dump(mode="json")
        if not tree["length_buckets"]:
            del tree["length_buckets"]
        for rule in (tree["languages"], *(stream["languages"] for stream in tree["streams"].values())):
            if rule is not None and rule["epoch_limit"] is None:
                del rule["epoch_limit"]
        return tree

    def language_rule(self, stream: str) -> LanguageRule:
        return self.streams[stream].languages or self.languages
