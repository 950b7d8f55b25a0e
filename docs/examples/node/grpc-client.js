// Tenantry over gRPC: the clients of both services, and one function that calls them.

import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

import grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";
import protobuf from "protobufjs";

import { Refused, patiently } from "./refused.js";

// The contracts, and google/api, which they import: protobufjs, which proto-loader is made of, brings most of that.
const OURS = fileURLToPath(new URL("../../../protos", import.meta.url));
const HERE = fileURLToPath(new URL(".", import.meta.url));
const GOOGLES = path.dirname(createRequire(import.meta.url).resolve("protobufjs/package.json"));
const SERVICES = {
  users: ["identity/v1/users.proto", "identity.v1.UserService"],
  sessions: ["identity/v1/sessions.proto", "identity.v1.SessionService"],
  organizations: ["tenancy/v1/organizations.proto", "tenancy.v1.OrganizationService"],
  invitations: ["tenancy/v1/invitations.proto", "tenancy.v1.InvitationService"],
  projects: ["tenancy/v1/projects.proto", "tenancy.v1.ProjectService"],
  projectMembers: ["tenancy/v1/project_members.proto", "tenancy.v1.ProjectMemberService"],
  access: ["tenancy/v1/access.proto", "tenancy.v1.AccessService"],
};
const FILES = Object.values(SERVICES).map(([file]) => file);
const contracts = protoLoader.loadSync(FILES, {
  includeDirs: [OURS, HERE, GOOGLES],
  enums: String, // "ORG_ROLE_MEMBER", as in JSON; fields are camelCase, also as in JSON
  longs: String,
  defaults: true,
});

// Reads are tried again by the channel when a worker stops under them (docs/operations.md): together 0.3 s.
const IS_READ = /^(Get|List|Check|BatchCheck|BatchGet|Explain|LookUp)/;
const reads = Object.values(SERVICES).flatMap(([, service]) =>
  Object.keys(contracts[service])
    .filter((method) => IS_READ.test(method))
    .map((method) => ({ service, method })),
);
const retryPolicy = {
  maxAttempts: 5,
  initialBackoff: "0.02s",
  maxBackoff: "0.2s",
  backoffMultiplier: 2,
  retryableStatusCodes: ["UNAVAILABLE", "CANCELLED"],
};
const OPTIONS = {
  "grpc.service_config": JSON.stringify({
    methodConfig: [{ name: reads, retryPolicy }],
    retryThrottling: { maxTokens: 100, tokenRatio: 0.1 }, // when most calls fail, trying again only adds to it
  }),
  // Notices within 12 s that the other end has gone without a word. The services allow a ping every 5 s.
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 2_000,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1_000,
};

/**
 * One client for each gRPC service: make them once, use them for every call, close them in the end. Those with the
 * same address share a connection. Addresses are "host:port"; over a network use grpc.credentials.createSsl().
 */
export function connect(identity, tenancy) {
  const packages = grpc.loadPackageDefinition(contracts);
  const clients = {};
  for (const [name, [, service]] of Object.entries(SERVICES)) {
    const [part, version, type] = service.split(".");
    const address = part === "identity" ? identity : tenancy;
    clients[name] = new packages[part][version][type](address, grpc.credentials.createInsecure(), OPTIONS);
  }
  return clients;
}

/**
 * The answer, or Refused. `as` is a session's token. Each attempt has its own deadline, in `seconds`; without one
 * a call that nobody answers would wait for ever.
 */
export function call(client, method, request, { as, seconds = 3 } = {}) {
  const metadata = new grpc.Metadata();
  if (as) metadata.set("authorization", `Bearer ${as}`);
  const attempt = () =>
    new Promise((resolve, reject) => {
      const options = { deadline: Date.now() + seconds * 1000 };
      client[method](request, metadata, options, (error, answer) =>
        error ? reject(new Refused(statusOf(error))) : resolve(answer),
      );
    });
  // Reads have been tried again already, by the channel.
  return patiently(attempt, { isRepeatable: Boolean(request.requestId) });
}

/** Every item of a list, from page to page. The other fields must stay as they are from one page to the next. */
export async function* pages(client, method, request, options) {
  for (let pageToken = ""; ; ) {
    const { nextPageToken, ...answer } = await call(client, method, { ...request, pageToken }, options);
    yield* Object.values(answer)[0]; // field 1 of every list's answer
    if (!nextPageToken) return;
    pageToken = nextPageToken;
  }
}

const ERRORS = fileURLToPath(new URL("errors.proto", import.meta.url));
const Status = protobuf.loadSync(ERRORS).lookupType("google.rpc.Status");

/** What a service said in full stands in the trailing metadata, as bytes. */
function statusOf(error) {
  const [bytes] = error.metadata?.get("grpc-status-details-bin") ?? [];
  if (!bytes) return { code: error.code, message: error.details };
  return Status.toObject(Status.decode(bytes), { json: true, longs: Number, defaults: true }); // json: the details too
}
