"""The recipe of the paper as steps in a working folder.

Owns what runs in which order and where each result lies. A step whose result is already there is
not run again, so the same command continues a run that was killed.

    workdir/config.json       the configuration; the folder refuses another one
    workdir/manifest.json     corpora, counts, hashes, drops, alignment of the answers, software
    workdir/encoder.json, tokenizer/   what a checkpoint needs to be read
    workdir/base/             base reader: checkpoints/, metrics.jsonl, tensorboard/, selected.json
    workdir/candidates/       the n-best of every training question, from which Z is taken
    workdir/two_stage/        two-stage reader, like base/
    workdir/predictions/      answers and n-best of each reader to each test set
    workdir/results.json, results.md
    workdir/logs/             the warnings of every process
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import jax
from ml_collections import ConfigDict

from xmrc_jax.data.squad import Corpus
from xmrc_jax.evaluate import tables
from xmrc_jax.ground.choices import choose
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import write_json
from xmrc_jax.processes import cluster
from xmrc_jax.recipe import settings
from xmrc_jax.recipe.inputs import Inputs, Split, software
from xmrc_jax.recipe.mining import MinedSet
from xmrc_jax.recipe.readers import Contestant, Readers
from xmrc_jax.recipe.workdir import claimed, same_configuration
from xmrc_jax.train.objective import two_stage_objective
from xmrc_jax.train.vocabulary import Vocabulary


def run(config: ConfigDict, workdir: Path) -> None:
    """Run the steps of ``config.recipe`` that have no result in ``workdir`` yet.

    Raises:
      UserError: anything the user can mend, before anything is trained where that can be known.
      Stopped: SIGTERM was heard while training; the state is saved.
    """
    steps = [choose(STEPS, name, 'recipe') for name in config.recipe]
    with claimed(workdir), cluster.kept_warnings(workdir / 'logs'):
        plain = json.loads(config.to_json())  # with lists for tuples
        cluster.agree({'software': software()} | plain)
        experiment = Experiment(config, workdir)
        plain['global_batch'] = experiment.readers.batch_size
        same_configuration(workdir, plain)
        experiment.prepare()
        if cluster.is_first():
            write_json(workdir / 'config.json', plain)
        for step in steps:
            step(experiment)


def _named(corpora: Sequence[Corpus]) -> str:
    more = f' and {len(corpora) - 1} more' if len(corpora) > 1 else ''
    return corpora[0].name + more


class Experiment:
    """One configuration in one working folder; each step is a method without arguments."""

    def __init__(self, config: ConfigDict, workdir: Path):
        self.config = config
        self.workdir = workdir
        self.inputs = Inputs(config, workdir)
        self.readers = readers = Readers(config, self.inputs, workdir)
        starts = {'pretrained': readers.pretrained, 'base': partial(readers.trained, 'base')}
        self.start = choose(starts, config.two_stage.start, 'two_stage.start')
        self.options = settings.two_stage(config)
        self.mined = MinedSet(config, self.inputs, self.readers, workdir)

    def prepare(self) -> None:
        """Read everything, say what will be run on what, and write down what the run is."""
        inputs, readers = self.inputs, self.readers
        print(*readers.topology(), sep='\n', flush=True)
        inputs.keep_compiled()
        with cluster.first_turn():
            for name, split in inputs.splits.items():
                source = '' if name == split.corpora[0].name else f' of {_named(split.corpora)}'
                counts = f'{len(split.questions)} questions, {len(split.windows)} windows'
                print(f'{name}: {counts}{source}')
            parameters = sum(leaf.size for leaf in jax.tree.leaves(readers.abstract))
            print(
                f'reader: {self.config.model.name or inputs.encoder.family}, '
                f'{parameters:,} parameters, from {inputs.weights or "a random start"}',
            )
            rows = Vocabulary.of(inputs.train.windows, inputs.encoder)
            print(
                f'token rows: {len(rows):,} of {len(rows.used_V):,} occur in training',
                flush=True,
            )
            self.check_dev()
            readers.check()
            if cluster.is_first():
                inputs.keep_tokenizer()
                write_json(self.workdir / 'encoder.json', asdict(inputs.encoder))
                write_json(self.workdir / 'manifest.json', inputs.manifest())

    def check_dev(self) -> None:
        """Refuse to choose a checkpoint by questions or passages that it is then tested on."""
        data = self.config.data
        if (shared := self.inputs.shared_with_dev) and not data.dev_may_overlap:
            raise UserError(
                f'data.dev={data.dev}: {shared}; choosing a checkpoint on it leaks: name another '
                'dev set, or none, or set data.dev_may_overlap=True'
            )

    def base(self) -> None:
        """Fine-tune the encoder with eq. 3."""
        self.readers.train_base('base', self.inputs.train)

    def mine(self) -> None:
        """Let a reader answer every training question with its k best answers."""
        self.mined.mine()

    def two_stage(self) -> None:
        """Fine-tune again, with eq. 9."""
        readers = self.readers
        if readers.is_trained('two_stage'):
            return
        readers.train(
            'two_stage',
            self.inputs.train,
            lambda encoder, steps: two_stage_objective(encoder, self.options, steps),
            self.start,
            self.options.initial_slots,
            self.mined.of_windows(),
        )

    def score(self) -> None:
        """Answer every test set with every trained reader; write answers and tables."""
        records = [
            self._record(contestant, split)
            for name in ('base', 'two_stage')
            if self.readers.is_trained(name)
            for contestant in self.readers.contestants(name)
            for split in self.inputs.tests
        ]
        if cluster.is_first():
            tables.write(self.workdir, records)
            print(tables.terminal(records))
            print(f'tables: {self.workdir}/results.md, results.json; answers: predictions/')

    def _record(self, contestant: Contestant, split: Split) -> tables.Record | None:
        """One system on one test set, answered unless it was before; None but in process 0."""
        corpus = split.corpora[0]
        path = tables.prediction_path(self.workdir, contestant.system, corpus)
        record = tables.read_record(path)
        if cluster.decided(record is None):
            nbest, steps = contestant.answer(split)
            record = cluster.is_first() and tables.write_predictions(
                path,
                contestant.system,
                corpus,
                split.questions,
                nbest,
                self.readers.metric(split),
                self.config.evaluate.top_k,
                contestant.selection,
                steps,
            )
        return record


STEPS = {name: getattr(Experiment, name) for name in ('base', 'mine', 'two_stage', 'score')}
