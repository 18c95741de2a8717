"""Parameters and windows to n-best answers: the one way from text to answers."""

from dataclasses import dataclass

from jax.sharding import Mesh

from xmrc_jax.data.windows import Windows
from xmrc_jax.evaluate.predict import NBest, predict
from xmrc_jax.model.architectures import EncoderConfig
from xmrc_jax.train import sharding


@dataclass(frozen=True)
class AskOptions:
    """Windows of a batch, answers kept for each question, longest answer in tokens."""

    batch_size: int
    n_best: int
    max_answer_tokens: int


@dataclass(frozen=True)
class Ask:
    """Asks readers of one encoder on one mesh.

    Raises:
      UserError: the batch does not divide by the mesh.
    """

    encoder: EncoderConfig
    mesh: Mesh
    options: AskOptions

    def __post_init__(self):
        sharding.check_batch(self.mesh, self.options.batch_size)

    def __call__(
        self, params: dict, windows: Windows, questions: int, label: str, k: int | None = None
    ) -> NBest:
        """The k best answers to each of the questions that the windows number.

        Args:
          params: of a reader.
          windows: of the questions, which are numbered from 0.
          questions: their number Q.
          label: of the progress bar.
          k: by default as many as the options say.
        """
        share = sharding.Share(self.mesh, self.options.batch_size)
        return predict(
            params,
            self.encoder,
            windows,
            questions=questions,
            k=k or self.options.n_best,
            batch_size=self.options.batch_size,
            max_answer_tokens=self.options.max_answer_tokens,
            put=share.put,
            rows=share.rows,
            label=label,
        )
