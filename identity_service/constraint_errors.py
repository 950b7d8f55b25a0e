"""What a violated constraint means, by its name."""

from shared.database import ConstraintErrors
from shared.reasons import Reason

CONSTRAINT_ERRORS: ConstraintErrors = {
    "uq_users_email_key": Reason.EMAIL_TAKEN,
    "uq_users_external_id": Reason.EXTERNAL_ID_TAKEN,
}
