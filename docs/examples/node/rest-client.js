// Tenantry over REST, through the gateway: fetch and nothing else.

import { Refused, patiently } from "./refused.js";

const { GATEWAY_URL = "http://127.0.0.1:8080" } = process.env;
const UNKNOWN = 2; // gRPC's numbers
const DEADLINE_EXCEEDED = 4;
const UNAVAILABLE = 14;
const CODES = { 502: UNAVAILABLE, 503: UNAVAILABLE, 504: DEADLINE_EXCEEDED }; // of answers that are not ours

/**
 * The answer, or Refused. `as` is a session's token. Each attempt has its own deadline, in `seconds`.
 * Node keeps connections open and uses them again by itself.
 */
export function call(method, path, { body, query, as, seconds = 3 } = {}) {
  const url = new URL(path, GATEWAY_URL);
  for (const [name, value] of Object.entries(query ?? {})) url.searchParams.set(name, value);
  const headers = { accept: "application/json" };
  if (as) headers.authorization = `Bearer ${as}`;
  if (body) headers["content-type"] = "application/json";
  const attempt = async () => {
    const signal = AbortSignal.timeout(seconds * 1000); // a signal counts from now on, so each attempt gets one
    const answer = await fetched(url, { method, headers, body: body && JSON.stringify(body), signal });
    if (answer.ok) return JSON.parse(answer.text);
    const refused = new Refused(statusOf(answer));
    refused.retryAfter ??= answer.retryAfter; // the gateway says it in a header when it refuses by itself
    throw refused;
  };
  return patiently(attempt, { isRepeatable: method === "GET" || Boolean(body?.requestId ?? query?.requestId) });
}

/** Where no answer comes, or only a part of it, the status that gRPC has for it. */
async function fetched(url, options) {
  try {
    const answer = await fetch(url, options);
    const retryAfter = Number(answer.headers.get("retry-after")) || undefined;
    return { ok: answer.ok, status: answer.status, text: await answer.text(), retryAfter };
  } catch (error) {
    if (error.name === "TimeoutError") throw new Refused({ code: DEADLINE_EXCEEDED, message: "the deadline passed" });
    if (!error.cause) throw error; // a mistake in the call itself
    throw new Refused({ code: UNAVAILABLE, message: `${url.host} cannot be reached: ${error.cause.message}` });
  }
}

/** Errors are a google.rpc.Status as JSON, also the gateway's own; a proxy before it may answer something else. */
function statusOf({ status, text }) {
  try {
    const told = JSON.parse(text);
    if (typeof told.code === "number") return told;
  } catch {
    // then it is text
  }
  return { code: CODES[status] ?? UNKNOWN, message: `HTTP ${status}: ${text}` };
}

/** Every item of a list, from page to page. The rest of the query must stay as it is from one page to the next. */
export async function* pages(path, { query, ...options } = {}) {
  for (let pageToken = ""; ; ) {
    const wanted = pageToken ? { ...query, pageToken } : query;
    const { nextPageToken, ...answer } = await call("GET", path, { ...options, query: wanted });
    yield* Object.values(answer)[0] ?? [];
    if (!nextPageToken) return;
    pageToken = nextPageToken;
  }
}
