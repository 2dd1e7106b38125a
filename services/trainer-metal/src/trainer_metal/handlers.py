"""On an export: the plan. On a job: the training."""

from __future__ import annotations

from cbi_common.events.training import TrainJobMetal
from cbi_common.runtime.service import Kit
from cbi_common.runtime.training_service import Trainer, TrainingHandlers
from trainer_metal.environment import ENVIRONMENT


class Handlers(TrainingHandlers):
    """Training of nets, one job at a time."""

    def __init__(self, kit: Kit) -> None:
        super().__init__(kit, Trainer("trainer-metal", "trainer_metal.jobs:train", TrainJobMetal, ENVIRONMENT))
