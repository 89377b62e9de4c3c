"""The epochs that balance host and board: after those in which the trunk learns what serves the host."""

from dataclasses import dataclass


@dataclass(frozen=True)
class BalanceConfig:
    """Float epochs after the others, with a weight and a share of their own, which the int8 epochs keep."""

    epochs: int  # epochs between the float epochs and the int8 epochs; not used without a latent head
    lr: float = 2e-3  # peak learning rate of these epochs
    answer_weight: float = 1.0  # in place of the run's, in these and the int8 epochs
    prefix_share: float = 0.3  # in place of the link's, in these and the int8 epochs

    def rules(self) -> dict[str, bool]:
        """Return the rules of the table `[balance]`."""
        return {
            "balance.epochs must be at least 1": self.epochs >= 1,
            "balance.lr must be above 0": self.lr > 0,
            "balance.answer_weight must be at least 0": self.answer_weight >= 0,
            "balance.prefix_share must be 0 to 1": 0 <= self.prefix_share <= 1,
        }
