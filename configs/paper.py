"""The paper's hyper-parameters and its variants, shared by ``mlqa.py`` and ``xquad.py``.

Each leaf carries its unit or its place in Chen et al. (AAAI 2022); "ours" marks what the paper
leaves open. Nothing derived is stored.
"""

import difflib

from ml_collections import ConfigDict

LANGUAGES = ('en', 'es', 'de', 'ar', 'hi', 'vi')  # section 4, Datasets
ALL = (
    'squad/train',
    *(f'mlqa_translate_train/train/{language}' for language in LANGUAGES[1:]),
)


def on_translations(train: tuple[str, ...]) -> dict[str, dict]:
    """The variants that train on one corpus in several languages, given its files."""
    mixed = {'data.train': train, 'data.mix': 'pairs'}
    return {
        'translate_train': {'data.train': train},
        'mixmrc': mixed | {'recipe': ('base', 'score')},
        'lbmrc': mixed | {'recipe': ('teach', 'distil', 'score')},
    }


def on_parallel(train: tuple[str, ...]) -> dict[str, dict]:
    """Those of ``on_translations``, and one on the first of the languages alone."""
    return {'zero_shot': {'data.train': train[:1]}} | on_translations(train)


def paper_config() -> ConfigDict:
    """The two-stage method, zero-shot, on XLM-R base. Long because it is the list of all leaves."""
    config = ConfigDict()
    config.seed = 42
    config.recipe = ('base', 'mine', 'two_stage', 'score')  # steps to run, in this order
    config.model = dict(
        name='xlmr_base',  # a row of xmrc_jax/model/architectures.py; '': as the weights say
        weights='hub',  # 'hub': the row's hub id; a folder; another hub id; '': random start
        tokenizer='',  # folder or hub id, or 'train'; '': the one that belongs to the weights
        dropout=-1.0,  # of hidden states; -1: the encoder's own rate, 0.1 of XLM-R
        attention_dropout=-1.0,  # of attention probabilities; likewise
        dtype='bfloat16',  # of the computation; parameters and losses are float32
        remat=False,  # recompute layers in the backward pass: less memory, a third more time
        attention='auto',  # or 'by_head', 'plain', 'cudnn'; see model/attention.py
    )
    config.data = dict(
        root='',  # folder searched first; '': the environment variable XMRC_DATA
        cache='',  # folder of tokenised windows and downloads; '': ~/.cache/xmrc_jax
        strict=False,  # refuse bad records instead of mending or dropping them
        max_dropped=0.5,  # share of a corpus's records; one of which more is dropped is refused
        train=('squad/train',),
        dev='mlqa/dev/en',  # scored at every checkpoint; '': none
        dev_may_overlap=False,  # accept a dev set that shares questions or passages with a test set
        train_may_overlap=False,  # accept training sets that share such with a test set
        tests=(),
        mix='none',  # or 'question', 'pairs': question and passage in different languages
        sampling_temperature=1.0,  # T: a language of n windows is drawn in proportion to n^(1/T)
        encyclopedia=dict(train_passages=1000, dev_passages=100, test_passages=200),
        max_train_questions=0,  # a random share of this size, drawn with the seed; 0: all
        max_test_questions=0,  # of each test set, likewise
        max_tokens=384,  # of a window; section 4, Implementation Details
        max_question_tokens=64,  # likewise
        stride=128,  # tokens two windows of a passage share; ours
        phrases='',  # file of texts with phrases; '': found in the training passages
        without_gold='drop',  # windows without the answer: 'drop' or 'first_token'; ours
        golds='first',  # of a question that has several, or 'all', each in its turn; ours
    )
    config.train = dict(
        batch_size=32,  # windows; section 4
        batch_size_per='run',  # 'run': global; 'device'
        accumulate=1,  # parts of a batch, one after the other: less memory, the same result
        freeze=-1,  # 0: the embeddings; n: and the first n layers; -1: all is trained
        lora_rank=0,  # of adapters (LoRA), trained in place of what is not frozen; 0: none
        epochs=8.0,  # section 4
        peak_lr=3e-5,  # section 4
        warmup=0.1,  # share of the steps; section 4
        weight_decay=0.01,  # section 4
        decay_biases_and_norms=False,  # ours, as run_qa
        beta1=0.9,  # ours
        beta2=0.999,  # ours
        eps=1e-8,  # ours
        clip_norm=1.0,  # global gradient norm, 0: none; ours
        label_smoothing=0.0,  # share of eq. 3's target spread over the window, where eq. 3 is all
        r_drop=0.0,  # weight of the distance between two draws of dropout, likewise
        slot_lr_multiplier=1.0,  # of the learning rate of w, the weights of eq. 5; ours
        checkpoint_every=1000,  # steps; section 4
        keep=3,  # newest checkpoints kept besides the best, 0: all; ours
        log_every=10,  # steps
        selection='best',  # reported: 'best' dev F1, 'last', or the 'average' of the last; ours
        average=3,  # checkpoints in the average
        patience=0,  # checkpoints without a better dev F1 that end a stage, 0: none do; ours
        loggers=(),  # besides TensorBoard and JSON lines: any of 'trackio', 'wandb'
    )
    config.mine = dict(
        candidates=20,  # |Z|; section 4
        n_best=0,  # answers mined for each question, of which the best make Z; 0: just |Z|
        folds=1,  # 1: the base reader mines its own training set; k: each fold by another reader
        gold_slot='last',  # 'last', or 'by_rank': at its rank, no slot its own
        scope='question',  # best of all windows of a question, or of each 'window'
        block=4096,  # questions between two resumable parts
    )
    config.two_stage = dict(
        start='pretrained',  # or 'base': continue from the base reader
        alpha=0.5,  # weight of the contrast, eq. 9; section 4
        alpha_ramp=0.0,  # share of the steps over which alpha grows from 0
        hard_only=0.0,  # share of the steps with eq. 5 alone before eq. 9 (sequential stages)
        gold_weight=0.0,  # of an added eq. 3
        softmax_over='window',  # eq. 2: 'window' (all real tokens) or 'passage'
        probability='product',  # P(z): 'product' of both ends, or 'joint' over legal spans
        hard_learning='per_candidate',  # eq. 5: 'per_type', 'as_printed', 'mml', 'gold_only'
        weights='learned',  # w of eq. 5: or 'free', 'uniform', 'fixed'
        fixed_weights=(),  # for 'fixed': one per slot, gold last
        gold_start=0.5,  # share of w the gold slot, if there is one, starts with; ours
        gold_floor=0.5,  # least share of w the gold slot keeps; ours
        spans=50,  # |A|; section 4
        negatives='similar',  # eq. 7: or 'top1', 'random'
        negative_count=1,  # Theta; appendix B
        allow_same_text=False,  # may a repeat of the answer's text be a negative
        denominator='global',  # eq. 8: or 'in_batch', 'own_negative'
        temperature=10.0,  # tau; section 4
        temperature_reading='divide',  # or 'multiply'
        question='mean',  # its representation: 'mean' of its tokens or 'first_token'
    )
    config.distil = dict(
        teachers='branch',  # one of each passage language; 'branches': all of them; or 'base'
        coefficient='uniform',  # of a teacher: or 'gold', 'n_best'; see answers/distillation.py
        temperature=2.0,  # T; ours
        weight=0.5,  # of T^2 KL, against the gold's cross entropy; ours
        block=4096,  # questions between two resumable parts
    )
    config.calibrate = dict(
        start='phrases',  # after recovering phrase boundaries; or 'base', 'pretrained'
        phrases_per_text=2,  # whose boundaries are recovered; ours
        farthest=3,  # tokens by which a boundary is moved; ours
        unmoved=0.2,  # share of the phrases that are left as they are; ours
    )
    config.lakm = dict(
        share=0.15,  # of a passage's tokens, masked by whole phrases; BERT's
        weight=1.0,  # of the masked tokens' cross entropy in its own steps; ours
    )
    config.evaluate = dict(
        batch_size=64,  # windows
        n_best=20,  # answers kept for each question; ours
        max_answer_tokens=30,  # ours
        metric='auto',  # of the corpus, of own files by language; or 'mlqa', 'squad', 'squad2'
        top_k=(1, 3, 5, 10, 20),  # table 2
        selections=(),  # scored besides train.selection: any of 'best', 'last', 'average'
        decodings=(),  # also, without training: any of 'minimum_risk', 'contrast'; ours
        contrast_weight=1.0,  # logits for a cosine of 1 with the question, of 'contrast'; ours
        oracle=False,  # also the kept checkpoint best on each test set itself: not fair
    )
    config.mesh = dict(data=-1, fsdp=1, model=1)  # devices; -1: what the others leave
    config.profile = 0  # steps of each stage recorded for jax.profiler; 0: none
    return config


VARIANTS = {
    'two_stage': {'recipe': ('base', 'mine', 'two_stage', 'score')},
    'base': {'recipe': ('base', 'score')},
    # Table 7 and appendix, table 2.
    'no_hard_learning': {'two_stage.hard_learning': 'gold_only'},
    'no_contrast': {'two_stage.alpha': 0.0},
    'mml': {'two_stage.hard_learning': 'mml'},
    # Appendix, table 1.
    'theta_10': {'two_stage.negative_count': 10},
    'theta_20': {'two_stage.negative_count': 20},
    'top1_negative': {'two_stage.negatives': 'top1'},
    'random_negative': {'two_stage.negatives': 'random'},
    # Other readings of the method.
    'per_type': {'two_stage.hard_learning': 'per_type'},
    'two_fold_mining': {'mine.folds': 2},
    'sequential': {'two_stage.hard_only': 0.5},
    # Trained on English alone, or on all languages at once: the halves of tables 5 and 6; and the
    # methods of its other rows that are not other encoders.
    'zero_shot': {'data.train': ALL[:1]},
    **on_translations(ALL),
    'skd': {  # self-distillation with the n-best coefficient, Carrino et al. 2023
        'recipe': ('base', 'teach', 'distil', 'score'),
        'distil.teachers': 'base',
        'distil.coefficient': 'n_best',
    },
    'calibrenet': {  # a second pass over the base reader's answers, Liang et al. 2021
        'recipe': ('base', 'mine', 'calibrate', 'score'),
        'mine.folds': 2,
    },
    'lakm': {'recipe': ('lakm', 'score')},  # whole phrases masked beside, Yuan et al. 2020
    'boundary_smoothing': {  # eq. 5 with fixed weights: 0.1 over the wrong ones of Z
        'two_stage.alpha': 0.0,
        'two_stage.weights': 'fixed',
        'two_stage.fixed_weights': (*(0.1 / 19,) * 19, 0.9),
    },
    # Other encoders.
    'xlmr_large': {'model.name': 'xlmr_large', 'model.remat': True},
    'infoxlm_base': {'model.name': 'infoxlm_base'},
    'infoxlm_large': {'model.name': 'infoxlm_large', 'model.remat': True},
    'xlm_align_base': {'model.name': 'xlm_align_base'},
    'e5_base': {'model.name': 'e5_base'},
    'e5_large': {'model.name': 'e5_large', 'model.remat': True},
    'mminilm': {'model.name': 'mminilm'},
    'e5_small': {'model.name': 'e5_small'},
    'paraphrase_minilm': {'model.name': 'paraphrase_minilm'},
    'mbert': {'model.name': 'mbert'},
    'mmbert_base': {'model.name': 'mmbert_base'},
    'mmbert_small': {'model.name': 'mmbert_small'},
    'mgte_base': {'model.name': 'mgte_base'},
    'mdeberta_base': {'model.name': 'mdeberta_base', 'model.dtype': 'float32'},
    'xlm_v_base': {'model.name': 'xlm_v_base'},
    'rembert': {'model.name': 'rembert', 'model.remat': True},
    'xlm': {'model.name': 'xlm_mlm_tlm_xnli15'},  # of 15 languages
    'xlm_100': {'model.name': 'xlm_mlm_100'},
    'xlmr_xl': {'model.name': 'xlmr_xl', 'model.remat': True},
    # Peak learning rates that other encoders than XLM-R may want; docs/encoders.md says which.
    'lr_2e_5': {'train.peak_lr': 2e-5},
    'lr_5e_5': {'train.peak_lr': 5e-5},
    'lr_8e_5': {'train.peak_lr': 8e-5},
    # Adapters alone, at a rate that they want more of: for encoders that do not fit otherwise.
    'lora': {'train.lora_rank': 16, 'train.peak_lr': 2e-4},
    # Does the whole recipe run here? Small, random start, minutes on a CPU.
    'smoke': {
        'model.name': 'tiny',
        'model.weights': '',
        'model.tokenizer': 'train',
        'model.dtype': 'float32',
        'data.max_tokens': 128,
        'data.stride': 32,
        'data.max_train_questions': 64,
        'data.max_test_questions': 16,
        'train.batch_size': 8,
        'train.epochs': 1.0,
        'train.checkpoint_every': 8,
        'evaluate.batch_size': 16,
    },
}


def vary(config: ConfigDict, variant: str, variants: dict[str, dict] = VARIANTS) -> ConfigDict:
    """Apply a comma-separated list of variants, such as ``mbert,no_contrast``; lock the result.

    Of two that name a recipe the last counts, and has all steps of the other.

    Raises:
      ValueError: no such variant, or one whose recipe is lost.
    """
    names = variant.split(',')
    for name in names:
        if name not in variants:
            close = difflib.get_close_matches(name, variants, n=1)
            meant = f'; did you mean {close[0]!r}?' if close else ':'
            raise ValueError(f'unknown variant {name!r}{meant} choose from {", ".join(variants)}')
        config.update_from_flattened_dict(variants[name])
    for name in names:
        if lost := set(variants[name].get('recipe', ())) - set(config.recipe):
            step, recipe = min(lost), ', '.join(config.recipe)
            raise ValueError(
                f'variant {name!r} has a step {step} that is not in {recipe}; leave one of the two '
                'out, and name all steps with --config.recipe'
            )
    return config.lock()
