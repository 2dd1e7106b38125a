"""On an export: the plan. On a job: the training."""

from __future__ import annotations

from cbi_common.events.training import TrainJobCpu
from cbi_common.runtime.service import Kit
from cbi_common.runtime.training_service import Trainer, TrainingHandlers
from trainer_cpu.environment import ENVIRONMENT


class Handlers(TrainingHandlers):
    """Training on the CPU, several jobs at a time."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit, Trainer("trainer-cpu", "trainer_cpu.jobs:train", TrainJobCpu, ENVIRONMENT))
