"""What each operation asks of its caller. The services enforce it; this table says it, and the access test compares the two.

A dry run needs less than the write it previews: `patches:propose`.
"""

from schemas.access import Scope

READ, PROPOSE, APPLY, CHAT = Scope.PROJECTS_READ, Scope.PATCHES_PROPOSE, Scope.PATCHES_APPLY, Scope.AGENT_CHAT

NEEDED: dict[str, Scope | None] = {
    "get_health": None,
    "get_liveness": None,
    "get_readiness": None,
    "get_metrics": Scope.ADMIN,
    "list_projects": READ,
    "get_project": READ,
    "get_hierarchy": READ,
    "get_schedule": READ,
    "list_history": READ,
    "diff_revisions": READ,
    "export_project": READ,
    "stream_events": READ,
    "list_patch_sets": READ,
    "get_patch_set": READ,
    "list_changes": READ,
    "list_tasks": READ,
    "list_next_tasks": READ,
    "get_task": READ,
    "list_comments": READ,
    "get_capabilities": READ,
    "search": READ,
    "get_job": READ,
    "cancel_job": READ,  # its caller had the scope of what it does
    "list_trash": READ,
    "import_outline": PROPOSE,
    "generate_plan": PROPOSE,
    "refine_plan": PROPOSE,
    "decompose_task": PROPOSE,
    "validate_patch_set": PROPOSE,
    "propose_patch_set": PROPOSE,
    "rebase_patch_set": PROPOSE,
    "reject_patch_set": PROPOSE,  # somebody else's: patches:apply
    "chat": CHAT,  # a proposal made in it: patches:propose too; an answer about plans: projects:read
    "list_conversations": CHAT,
    "get_conversation": CHAT,
    "delete_conversation": CHAT,
    "create_project": APPLY,
    "patch_project": APPLY,
    "update_project": APPLY,
    "delete_project": APPLY,
    "restore_project": APPLY,
    "revert_to_revision": APPLY,
    "apply_patch_set": APPLY,
    "apply_proposal": APPLY,
    "revert_patch_set": APPLY,
    "create_task": APPLY,
    "patch_task": APPLY,
    "update_task": APPLY,
    "delete_task": APPLY,
    "restore_task": APPLY,
    "claim_task": APPLY,
    "add_comment": APPLY,
}
