// The story over gRPC from Go: sign in, create an organization, check access, handle errors by their reason.
// With `make run` running and `source .tenantry/env`; docs/clients.md says how pb/ is made.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/google/uuid"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	identity "tenantry-example/pb/identity/v1"
	tenancy "tenantry-example/pb/tenancy/v1"
)

const password = "tulip-orbit-canyon-93-maple"

// Reads are tried again when a worker stops under them (docs/operations.md). AccessService has nothing else; of other
// services the methods are named.
const serviceConfig = `{
  "methodConfig": [{
    "name": [
      {"service": "tenancy.v1.AccessService"},
      {"service": "tenancy.v1.OrganizationService", "method": "ListOrganizations"}
    ],
    "retryPolicy": {
      "maxAttempts": 5, "initialBackoff": "0.02s", "maxBackoff": "0.2s", "backoffMultiplier": 2,
      "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"]
    }
  }],
  "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.1}
}`

// One connection to each service for the whole program; every client shares it.
func connect(address string) *grpc.ClientConn {
	connection, err := grpc.NewClient(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()), // over a network: credentials.NewTLS
		grpc.WithDefaultServiceConfig(serviceConfig),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: 2 * time.Second}),
	)
	if err != nil {
		log.Fatal(err)
	}
	return connection
}

// Refused is an error of Tenantry. Branch on Reason; Fields are those of BAD_REQUEST.
type Refused struct {
	Reason     string
	Fields     map[string]string
	RetryAfter time.Duration // 0: trying again does not help
	Status     *status.Status
}

func (r *Refused) Error() string { return fmt.Sprintf("%s: %s", r.Reason, r.Status.Message()) }

func refused(err error) *Refused {
	found := &Refused{Status: status.Convert(err), Fields: map[string]string{}}
	for _, detail := range found.Status.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			found.Reason = detail.Reason
		case *errdetails.BadRequest:
			for _, violation := range detail.FieldViolations {
				found.Fields[violation.Field] = violation.Description
			}
		case *errdetails.RetryInfo:
			found.RetryAfter = detail.RetryDelay.AsDuration()
		}
	}
	return found
}

type rpc[Q, A any] func(context.Context, *Q, ...grpc.CallOption) (*A, error)

// call gives each attempt a deadline, and tries again where that helps: after a refusal with RetryInfo, which has
// changed nothing; and, only if the request has a request_id, when the answer got lost.
func call[Q, A any](token string, method rpc[Q, A], request *Q) (*A, error) {
	withID, _ := any(request).(interface{ GetRequestId() string })
	for try := 1; ; try++ {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		if token != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
		}
		answer, err := method(ctx, request)
		cancel()
		if err == nil {
			return answer, nil
		}
		why, wait := refused(err), time.Duration(0)
		switch code := why.Status.Code(); {
		case why.RetryAfter > 0:
			wait = why.RetryAfter
		case withID != nil && withID.GetRequestId() != "" &&
			(code == codes.Unavailable || code == codes.Canceled || code == codes.DeadlineExceeded):
			wait = 100 * time.Millisecond << try
		}
		if wait == 0 || wait > 5*time.Second || try == 4 { // THROTTLED may say minutes: that is for the person to know
			return nil, why
		}
		time.Sleep(wait)
	}
}

func must[A any](answer *A, err error) *A {
	if err != nil {
		log.Fatal(err)
	}
	return answer
}

func main() {
	toIdentity, toTenancy := connect(os.Getenv("IDENTITY_ADDRESS")), connect(os.Getenv("TENANCY_ADDRESS"))
	defer toIdentity.Close()
	defer toTenancy.Close()
	users, sessions := identity.NewUserServiceClient(toIdentity), identity.NewSessionServiceClient(toIdentity)
	organizations, access := tenancy.NewOrganizationServiceClient(toTenancy), tenancy.NewAccessServiceClient(toTenancy)

	_, err := call("", users.SignUp, &identity.SignUpRequest{Email: "ada", Password: "secret"})
	var mistaken *Refused
	if errors.As(err, &mistaken) {
		fmt.Println("A sign-up is refused:", mistaken.Reason, mistaken.Fields)
	}

	// A service of yours that vouches for people makes accounts at once, with its key. SignUp is as in Node.
	email := fmt.Sprintf("ada.%s@example.com", uuid.NewString()[:8])
	key := os.Getenv("TENANTRY_SERVICE_KEY")
	asOperator := metadata.AppendToOutgoingContext(context.Background(), "x-service-key", key)
	must(users.CreateUser(asOperator, &identity.CreateUserRequest{Email: email, Password: password}))
	session := must(call("", sessions.CreateSession, &identity.CreateSessionRequest{Email: email, Password: password}))

	made := must(call(session.Token, organizations.CreateOrganization, &tenancy.CreateOrganizationRequest{
		Slug: "acme-" + uuid.NewString()[:8], RequestId: uuid.NewString(),
	}))
	check := &tenancy.CheckAccessRequest{OrganizationId: made.Organization.OrganizationId, Permission: "members:update"}
	answer := must(call(session.Token, access.CheckAccess, check))
	fmt.Println("May Ada change members?", answer.Allowed, "-", answer.Reason)
	check.OrganizationId = uuid.NewString()
	answer = must(call(session.Token, access.CheckAccess, check))
	fmt.Println("May she elsewhere?", answer.Allowed, "-", answer.Reason) // no is an answer, not an error

	must(call(session.Token, sessions.RevokeSession, &identity.RevokeSessionRequest{}))
	_, err = call(session.Token, access.CheckAccess, check)
	if why := new(Refused); errors.As(err, &why) && why.Reason == "SESSION_INVALID" {
		fmt.Println("Ada signs out. The very next check:", why.Reason)
	}
}
