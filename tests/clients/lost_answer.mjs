// Makes one call when it is told to, with the example's client. Arguments: identity's address, tenancy's, a session's
// token, a method of OrganizationService, its request as JSON. Prints "connected", then the answer as JSON, or gRPC's
// code.

import { call, connect } from "../../docs/examples/node/grpc-client.js";

const [identity, tenancy, token, method, request] = process.argv.slice(2);
const clients = connect(identity, tenancy);
await call(clients.organizations, "listOrganizations", {}, { as: token });
console.log("connected");
for await (const _ of process.stdin);
try {
  console.log(JSON.stringify(await call(clients.organizations, method, JSON.parse(request), { as: token })));
} catch (error) {
  console.log(error.code);
}
for (const client of Object.values(clients)) client.close();
