"""The recipe of the paper as steps in a working folder.

Owns what runs in which order and where each result lies. A step whose result is already there is
not run again, so the same command continues a run that was killed.

    workdir/config.json       the configuration; the folder refuses another one
    workdir/manifest.json     corpora, counts, hashes, drops, alignment of the answers, software
    workdir/encoder.json, tokenizer/   what a checkpoint needs to be read
    workdir/base/             base reader: checkpoints/, metrics.jsonl, tensorboard/, selected.json,
                              calibration.json
    workdir/candidates/       the n-best of every training question, from which Z is taken
    workdir/first_pass/       the base reader's answers that a second pass is told
    workdir/two_stage/        two-stage reader, like base/; so distil/, calibrate/, lakm/, teachers/
    workdir/soft_targets/     what teachers say of the training windows
    workdir/predictions/      answers and n-best of each reader to each test set
    workdir/results.json, results.md
    workdir/logs/             the warnings of every process
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import cached_property, partial
from operator import attrgetter
from pathlib import Path

import jax

from xmrc_jax.evaluate.records import Record
from xmrc_jax.ground.choices import choose
from xmrc_jax.ground.errors import UserError
from xmrc_jax.ground.files import read_json, write_json
from xmrc_jax.model import reader
from xmrc_jax.model.marks import marked
from xmrc_jax.processes import accelerators, agreement, identity, output
from xmrc_jax.recipe import opening, settings
from xmrc_jax.recipe.ask import Ask
from xmrc_jax.recipe.calibrenet import MARKED, CalibreNet
from xmrc_jax.recipe.distillation import Distillation
from xmrc_jax.recipe.fit import Fit, Stage
from xmrc_jax.recipe.inputs import Inputs, Split
from xmrc_jax.recipe.lakm import Lakm
from xmrc_jax.recipe.mining import MinedSet
from xmrc_jax.recipe.needs import SCORED, check_needs
from xmrc_jax.recipe.objectives import OBJECTIVES
from xmrc_jax.recipe.probe import QUESTIONS as PROBED
from xmrc_jax.recipe.probe import Probe, Reads, swapped
from xmrc_jax.recipe.scoring import Contestant, Scorer, concluded, contestants, warned
from xmrc_jax.recipe.store import Store
from xmrc_jax.recipe.surroundings import keep_compiled, software
from xmrc_jax.recipe.workdir import claimed
from xmrc_jax.train import loggers, sharding
from xmrc_jax.train.vocabulary import Vocabulary


def run(run: settings.Run, workdir: Path) -> None:
    """Run the steps of the recipe that have no result in ``workdir`` yet.

    Raises:
      UserError: anything the user can mend, before anything is trained where that can be known.
      Stopped: SIGTERM was heard while training; the state is saved.
    """
    steps = [choose(STEPS, name, 'recipe') for name in run.recipe]
    check_needs(run, workdir)
    with claimed(workdir), output.kept_warnings(workdir / 'logs'):
        batch = run.train.global_batch(jax.device_count())
        stored = settings.stored(run, batch)
        agreement.agree({'software': software()} | stored)
        settings.same_run(workdir, run, batch)
        experiment = Experiment(run, workdir)
        experiment.prepare()
        if identity.is_first():
            write_json(workdir / 'config.json', stored)
        for step in steps:
            step(experiment)


class Experiment:
    """One configuration in one working folder; each step is a method without arguments."""

    def __init__(self, run: settings.Run, workdir: Path):
        self.run, self.workdir = run, workdir
        self.mesh = sharding.make_mesh(**asdict(run.mesh))
        self.inputs = Inputs(run.data, run.model, run.seed, workdir)

    # -- the parts, made when first used: they need the encoder, and that the tokenizer ------------

    @cached_property
    def abstract(self) -> dict:
        """Shapes of a reader's parameters."""
        return reader.abstract(self.inputs.encoder)

    def store(self, name: str) -> Store:
        """The reader of that name."""
        abstract = jax.eval_shape(marked, self.abstract) if name in MARKED else self.abstract
        return Store(name, self.workdir, abstract, self.mesh)

    @cached_property
    def ask(self) -> Ask:
        return Ask(self.inputs.encoder, self.mesh, self.run.evaluate.ask)

    @cached_property
    def scorer(self) -> Scorer:
        dev = None if self.inputs.shared_with_dev else self.inputs.dev
        question = self.run.method.reading.contrast.question
        return Scorer(self.ask, self.run.evaluate, self.workdir, dev, question)

    @cached_property
    def fit(self) -> Fit:
        run, dev = self.run, self.inputs.dev
        own = run.train, run.data, run.seed, run.profile
        objectives = {kind: partial(make, run) for kind, make in OBJECTIVES.items()}
        dev_f1 = partial(self.dev_f1, split=dev) if dev else None
        return Fit(self.inputs.encoder, self.mesh, *own, objectives, dev_f1)

    def dev_f1(self, params: dict, split: Split) -> float:
        """F1 in percent of parameters in training."""
        return self.scorer.f1(split, self.scorer.answer(params['reader'], split, 'dev'))

    @cached_property
    def mined(self) -> MinedSet:
        parts = self.inputs, self.ask, self.store, self.fit_base
        return MinedSet(self.run.mine, self.run.seed, *parts, self.workdir)

    @cached_property
    def distillation(self) -> Distillation:
        run, parts = self.run, (self.inputs, self.ask, self.fit, self.store, self.fit_base)
        return Distillation(run.distil, *parts, self.workdir)

    @cached_property
    def calibrenet(self) -> CalibreNet:
        run, parts = self.run, (self.inputs, self.ask, self.fit, self.store, self.mined)
        return CalibreNet(run.calibrate, run.seed, *parts, self.dev_f1)

    @cached_property
    def lakm(self) -> Lakm:
        run, parts = self.run, (self.inputs, self.fit, self.store)
        return Lakm(run.lakm, run.seed, *parts)

    # -- the steps -------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Read everything, say what will be run on what, and write down what the run is."""
        inputs, batch = self.inputs, self.run.train.global_batch(jax.device_count())
        sharding.check_batch(self.mesh, self.run.evaluate.ask.batch_size)
        machines = accelerators.machines()
        topology = sharding.topology(self.mesh, batch, [machine.host for machine in machines])
        print(*accelerators.unused(machines), *topology, sep='\n', flush=True)
        keep_compiled(inputs.cache)
        with agreement.first_turn():
            if not self.store('base').is_finished:
                inputs.pretrained()  # refused, if it is, before any corpus is read
            self.run.train.check(self.mesh, inputs.encoder)  # likewise
            print(*opening.read(inputs), sep='\n')
            learnt = {'contents': opening.contents(self.run, inputs)}
            opening.check_contents(self.workdir / 'manifest.json', learnt['contents'])
            if opening.learns_phrases(self.run):
                print(opening.phrases(inputs))
                learnt |= {'phrases': inputs.phrases.summary}
            if 'lakm' in self.run.recipe:
                learnt |= self.lakm.summary
            name, start = self.run.model.name or inputs.encoder.family, self.run.model.source
            parameters = sum(leaf.size for leaf in jax.tree.leaves(self.abstract))
            rows = Vocabulary.of(inputs.train.windows, inputs.encoder)
            print(f'reader: {name}, {parameters:,} parameters, from {start or "a random start"}')
            used = f'{len(rows):,} of {len(rows.used_V):,}'
            print(f'token rows: {used} occur in training', flush=True)
            self.check()
            if identity.is_first():
                inputs.keep_tokenizer()
                write_json(self.workdir / 'encoder.json', asdict(inputs.encoder))
                longest = self.run.evaluate.ask.max_answer_tokens
                if not (self.workdir / 'results.json').exists():  # else it says what made them
                    write_json(self.workdir / 'manifest.json', inputs.manifest(longest) | learnt)

    def check(self) -> None:
        """Refuse, before anything is written, what could not be trained or may not be chosen.

        Raises:
          UserError: sizes that do not divide by the mesh, a metric that does not know a test set's
            language, no window to train on, a dev or training set that leaks, a logger that is not
            installed.
        """
        data, inputs = self.run.data, self.inputs
        loggers.check(self.run.train.loop.loggers)
        if (shared := inputs.shared_with_dev) and not data.dev_may_overlap:
            raise UserError(
                f'data.dev={data.dev}: {_first(shared)}; choosing a checkpoint on it leaks: name '
                'another dev set, or none, or set data.dev_may_overlap=True'
            )
        if (shared := inputs.shared_with_train) and not data.train_may_overlap:
            raise UserError(
                f'data.train={",".join(data.train)}: {_first(shared)}; training on it leaks: name '
                'other training sets, or set data.train_may_overlap=True'
            )
        for split in (*filter(None, [inputs.dev]), *inputs.tests):
            self.run.evaluate.metric_of(split.corpora[0])
        steps = {'mine': self.mined, 'teach': self.distillation, 'calibrate': self.calibrenet}
        own = [part.learnt for step, part in steps.items() if step in self.run.recipe]
        for learnt in ({'train': inputs.train}, *own):
            self.fit.check(learnt)

    def fit_base(self, name: str, split: Split) -> None:
        """Fine-tune the pretrained encoder on a split with eq. 3, unless that is done."""
        store = self.store(name)
        if not store.is_done():
            self.fit(store, Stage(split, 'base', self.inputs.pretrained))

    def two_stage(self) -> None:
        """Fine-tune again, with eq. 9."""
        store = self.store('two_stage')
        if store.is_done():
            return
        run, method = self.run, self.run.method.reading
        starts = {'pretrained': self.inputs.pretrained, 'base': self.store('base').reported}
        stage = Stage(
            self.inputs.train,
            'two_stage',
            starts[run.method.start],
            lambda _: method.hard.initial_slots(run.mine.candidates, run.mine.gold_slot),
            self.mined.of_windows(),
        )
        self.fit(store, stage)

    def score(self) -> None:
        """Answer every test set with every trained reader; write answers and tables."""
        stores = filter(attrgetter('is_finished'), map(self.store, SCORED))
        found = [record for store in stores for record in self._scored(store)]
        if identity.is_first():
            print(concluded(self.workdir, found, self.inputs.test_questions))

    def _scored(self, store: Store) -> Iterator[Record | None]:
        """The records of one reader, whose reported parameters serve all of this once loaded."""
        as_read = self._as_read(store)
        self.probe(store)
        self.scorer.calibrated(store, tuple(store.chosen()[1]), as_read)
        for contestant in contestants(store, self.run.evaluate):
            for split in self.inputs.tests:
                yield self.scorer.record(store, self._warned(contestant, split), split, as_read)

    def probe(self, store: Store) -> None:
        """Say whether a reader reads questions; its two losses are kept with its answers."""
        splits = [*filter(None, [self.inputs.dev]), *self.inputs.tests]
        if not any(question.answers for split in splits[:1] for question in split.questions):
            return
        questions = [each for each in splits[0].questions if each.answers][:PROBED]
        path = self.workdir / 'predictions' / store.name / 'probe.json'
        reads = Reads(**read_json(path)) if path.exists() else None
        if agreement.decided(reads is None):
            both = (tuple(questions), tuple(swapped(questions)))
            asked = [Split(splits[0].corpora, own, self.inputs.windows(own)) for own in both]
            windows = (each.windows for each in map(self._as_read(store), asked))
            options, reading = self.run.evaluate.ask, self.run.method.reading
            probe = Probe(self.ask.encoder, self.mesh, reading.normalisation, options.batch_size)
            reads = probe(self.scorer.load(store, tuple(store.chosen()[1])), *windows)
            if identity.is_first():
                write_json(path, reads._asdict())
        if reads:
            print(*reads.said(store.name, splits[0].corpora[0].name), sep='\n', flush=True)

    def _as_read(self, store: Store) -> Callable[[Split], Split]:
        """What a reader makes of a split before it reads."""
        return self.calibrenet.second if store.name in MARKED else lambda split: split

    def _warned(self, contestant: Contestant, split: Split) -> Contestant:
        name, inputs = split.corpora[0].name, self.inputs
        return warned(contestant, name in inputs.shared_with_dev, name in inputs.shared_with_train)


def _first(shared: dict[str, str]) -> str:
    return next(iter(shared.values()))


STEPS = {
    'base': lambda own: own.fit_base('base', own.inputs.train),
    'mine': lambda own: own.mined.mine(),
    'two_stage': Experiment.two_stage,
    'teach': lambda own: own.distillation.teach(),
    'distil': lambda own: own.distillation.distil(),
    'calibrate': lambda own: own.calibrenet.train(),
    'lakm': lambda own: own.lakm.train(),
    'score': Experiment.score,
}
