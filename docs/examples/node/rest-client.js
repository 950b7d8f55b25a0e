// Tenantry over REST, through the gateway: fetch and nothing else.

import { Refused, patiently } from "./refused.js";

const { GATEWAY_URL = "http://127.0.0.1:8080" } = process.env;
// Of answers without a status of a service: the gateway's own, when it finds nobody behind it or waited too long.
const CODES = { 429: 8, 502: 14, 503: 14, 504: 4 };
const UNKNOWN = 2;

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
    const { status, text } = await fetched(url, { method, headers, body: body && JSON.stringify(body), signal });
    if (status === 200) return JSON.parse(text);
    throw new Refused(statusOf(status, text));
  };
  return patiently(attempt, { hasRequestId: Boolean(body?.requestId ?? query?.requestId) });
}

async function fetched(url, options) {
  try {
    const answer = await fetch(url, options);
    return { status: answer.status, text: await answer.text() };
  } catch (error) {
    // No answer at all. A mistake in the call is a TypeError too, but has no cause.
    if (error.name === "TimeoutError") return { status: 504, text: "the deadline passed" };
    if (error.cause) return { status: 503, text: `${url.host} cannot be reached: ${error.cause.code}` };
    throw error;
  }
}

/** Errors are a google.rpc.Status as JSON, whoever refused; but for a few of a proxy's own, which are plain text. */
function statusOf(status, text) {
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
