// The main job through a client that is generated from schemas/openapi.json: it has to type-check.
import createClient from "openapi-fetch";
import type { components, paths } from "./generated/today";

type PatchSet = components["schemas"]["PatchSet"];
type Refusal = { error: { code: string; message: string } } | { code: string; detail: string }; // envelope or RFC 9457

const client = createClient<paths>({ baseUrl: "http://127.0.0.1:8000", headers: { Authorization: "Bearer key" } });

const reason = (refusal: Refusal): Error =>
  new Error("error" in refusal ? `${refusal.error.code}: ${refusal.error.message}` : `${refusal.code}: ${refusal.detail}`);

export async function planAndApply(outline: string): Promise<Record<string, number>> {
  const planned = await client.POST("/api/v1/planner/import", { body: { content: outline } });
  if (planned.error) throw reason(planned.error);
  const answer = planned.data?.data; // absent only after Prefer: return=minimal, a job only after Prefer: respond-async
  if (!answer || !("patch_set" in answer)) throw new Error("the answer had no proposal");
  const proposal = answer.patch_set;
  const applied = await client.POST("/api/v1/patch-sets/{patch_set_id}/apply", {
    params: { path: { patch_set_id: proposal.id }, header: { "Idempotency-Key": "once" } },
    body: {},
  });
  if (applied.error) throw reason(applied.error);
  return applied.data?.data.revisions ?? {};
}

export async function lateTasks(project: string): Promise<string[]> {
  const { data, error } = await client.GET("/api/v1/tasks", {
    params: { query: { project_id: project, overdue: true, status: ["todo", "in_progress"], per_page: 100 } },
  });
  if (error) throw reason(error);
  return data.data.tasks.map((task) => `${task.key} ${task.title}, due ${task.due_date ?? "never"}`);
}

export const rename = (key: string, name: string): PatchSet => ({
  summary: `Rename ${key}`,
  base_revisions: { [key]: 1 },
  patches: [{ op: "update_project", project: key, fields: { name } }],
});
