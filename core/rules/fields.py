"""The fields of one new item: what is stated first stays, and nothing invalid gets in."""

from dataclasses import dataclass, field

from pydantic import JsonValue

MAX_TAGS, MAX_TAG, MAX_ASSIGNEE = 50, 50, 100

_WORDS = {"estimated_minutes": "estimate", "assignee": "owner", "due_date": "due date", "start_date": "start date"}


@dataclass(slots=True)
class Fields:
    values: dict[str, JsonValue] = field(default_factory=dict)

    def refuse(self, name: str, value: JsonValue) -> str | None:
        """Return why `value` cannot be stored in `name`, or None."""
        if name == "tags":
            return _refuse_tags(self.tags, value)
        if name in self.values and self.values[name] != value:
            return f"is a second {_WORDS.get(name, name)}; the first one counts"
        if name == "assignee" and not 1 <= len(str(value).strip()) <= MAX_ASSIGNEE:
            return f"is not a name of at most {MAX_ASSIGNEE} characters"
        return self._refuse_order(name, value)

    def _refuse_order(self, name: str, value: JsonValue) -> str | None:
        start = value if name == "start_date" else self.values.get("start_date")
        due = value if name == "due_date" else self.values.get("due_date")
        if name in ("start_date", "due_date") and start and due and str(start) > str(due):  # ISO days sort as text
            return "would start after it is due"
        return None

    def offer(self, name: str, value: JsonValue) -> str | None:
        """Store `value` in `name`; return why not, if it cannot be."""
        reason = self.refuse(name, value)
        if reason is None and name == "tags" and isinstance(value, list):
            self.values["tags"] = list(dict.fromkeys([*self.tags, *value]))
        elif reason is None:
            self.values[name] = value
        return reason

    @property
    def tags(self) -> list[JsonValue]:
        tags = self.values.get("tags")
        return tags if isinstance(tags, list) else []


def _refuse_tags(known: list[JsonValue], value: JsonValue) -> str | None:
    tags = value if isinstance(value, list) else []
    if not tags or any(not 1 <= len(str(tag)) <= MAX_TAG for tag in tags):
        return f"is not a list of tags of at most {MAX_TAG} characters"
    if len(set(map(str, known)) | set(map(str, tags))) > MAX_TAGS:
        return f"is more than {MAX_TAGS} tags"
    return None
