"""What a violated constraint means, by its name."""

from shared.database import ConstraintErrors
from shared.reasons import Reason

CONSTRAINT_ERRORS: ConstraintErrors = {
    "uq_organizations_slug": Reason.SLUG_TAKEN,
    # A slug that another organization had: it still leads there.
    "uq_organization_slugs_slug": Reason.SLUG_TAKEN,
    "uq_projects_slug": Reason.SLUG_TAKEN,
    "pk_organization_members": Reason.ALREADY_A_MEMBER,
    "uq_invitations_pending": Reason.INVITATION_EXISTS,
    # A member removed, or a project or organization deleted, while a role was being set on it.
    "fk_project_members_organization_members": Reason.MEMBER_NOT_FOUND,
    "fk_project_members_projects": Reason.PERMISSION_DENIED,
    "fk_projects_organizations": Reason.PERMISSION_DENIED,
    "fk_organization_members_organizations": Reason.PERMISSION_DENIED,
}
