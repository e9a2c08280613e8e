"""Microbatches of one rank, built ahead of the training that takes them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor

from vaak.corpus import Corpus
from vaak.errors import BadInput, CheckFailed
from vaak.grammar.tokenizer import TextTokenizer
from vaak.grammar.vocabulary import Vocabulary
from vaak.mixture.batch import PackedBatch
from vaak.mixture.plan import Plan
from vaak.mixture.row_reader import RowReader
from vaak.mixture.workers import build_batch, worker_pool


def open_loader(
    plan: Plan,
    corpora: Sequence[Corpus],
    vocabulary: Vocabulary,
    tokenizer: TextTokenizer,
    *,
    microbatch_rows: int,
    start_row: int = 0,
    rank: int = 0,
    world: int = 1,
    workers: int = 0,
) -> Generator[PackedBatch, None, None]:
    """Endless microbatches of one rank: rows `start_row + rank`, `+ world`, ... in groups of `microbatch_rows`.

    After k microbatches on every rank the next row is `start_row + k·world·microbatch_rows`: that number is the whole
    state. `workers` processes build batches ahead, two each, or without any a thread does; the batches and their order are
    the same for any number. Raises `BadInput` naming the corpus, tokenizer or vocabulary that is not the plan's, and
    `CheckFailed` if a worker dies.
    """
    if microbatch_rows < 1 or world < 1 or not 0 <= rank < world or start_row < 0:
        raise BadInput(f"no loader for rank {rank} of {world} from row {start_row} with {microbatch_rows} rows a batch")
    reader = RowReader(plan, corpora, vocabulary, tokenizer)
    if workers == 0:
        pool: Executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="vaak-loader")
        return _batches(reader, pool, reader.batch, 2, start_row + rank, world, microbatch_rows)
    pool = worker_pool(workers, (plan, list(corpora), vocabulary, tokenizer))
    return _batches(reader, pool, build_batch, 2 * workers, start_row + rank, world, microbatch_rows)


def _batches(
    reader: RowReader,
    pool: Executor,
    build: Callable[[list[int]], PackedBatch],
    ahead: int,
    first: int,
    world: int,
    rows: int,
) -> Generator[PackedBatch, None, None]:
    def numbers() -> Iterator[list[int]]:
        start, announced = first, first
        while True:
            if reader.staged and start >= announced:
                announced = reader.announce(start)
            yield [start + i * world for i in range(rows)]
            start += rows * world

    waiting: deque[Future[PackedBatch]] = deque()
    try:
        for each in numbers():
            waiting.append(pool.submit(build, each))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
    except BrokenExecutor as error:
        raise CheckFailed("a worker that builds batches died; look for the reason above, and resume the run") from error
    finally:
        # A batch in the making would begin the staging anew.
        pool.shutdown(wait=bool(reader.staged), cancel_futures=True)
        reader.rest()
