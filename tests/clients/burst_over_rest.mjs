// As burst.mjs, over REST. Arguments: a session's token, an organization's id, how many.

import { call } from "../../docs/examples/node/rest-client.js";

const [token, organizationId, count] = process.argv.slice(2);
const body = { organizationId, permission: "organization:read" };
const asked = Array.from({ length: Number(count) }, () => call("POST", "/v1/access:checkAccess", { body, as: token }));
const answers = await Promise.all(asked);
console.log(answers.filter((answer) => answer.allowed).length);
