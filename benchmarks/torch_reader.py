"""The PyTorch reader of an exported folder, by the library's own class where it has one."""

import json
from pathlib import Path

import safetensors.torch
import torch
import transformers


class GteForQuestionAnswering(torch.nn.Module):
    """GTE with the linear head that the library lacks; the folder has its weights."""

    def __init__(self, folder: Path):
        super().__init__()
        self.gte = transformers.GteModel.from_pretrained(folder)
        self.qa_outputs = torch.nn.Linear(self.gte.config.hidden_size, 2)
        tensors = safetensors.torch.load_file(folder / 'model.safetensors')
        head = {name: tensors[f'qa_outputs.{name}'] for name in ('weight', 'bias')}
        self.qa_outputs.load_state_dict(head)

    def forward(self, **inputs):
        output = self.gte(**inputs)
        start, end = self.qa_outputs(output.last_hidden_state).unbind(-1)
        return transformers.modeling_outputs.QuestionAnsweringModelOutput(
            start_logits=start, end_logits=end, hidden_states=output.hidden_states
        )


def torch_reader(folder: Path) -> torch.nn.Module:
    """The question answering model of a folder, in float32, for evaluation.

    Raises:
      ValueError: the folder lacks a weight, or has one that the model does not want.
    """
    if json.loads((folder / 'config.json').read_text())['model_type'] == 'gte':
        return GteForQuestionAnswering(folder).eval()
    model, report = transformers.AutoModelForQuestionAnswering.from_pretrained(
        folder, output_loading_info=True
    )
    if any(report.values()):
        raise ValueError(f'{folder}: {report}')
    return model.eval()
