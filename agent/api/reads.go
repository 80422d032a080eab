package api

import (
	"context"
	"errors"
	"maps"
	"slices"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/inventory"
)

type bytesOutput struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

// getStatus hands out bytes that were encoded once for all who ask.
func (s *Server) getStatus(ctx context.Context, _ *struct{}) (*bytesOutput, error) {
	return &bytesOutput{ContentType: asJSON, Body: s.config.Inventory.View().Encoded(mayIdentify(ctx))}, nil
}

func (s *Server) getOpenAPI(context.Context, *struct{}) (*bytesOutput, error) {
	return &bytesOutput{ContentType: "application/openapi+json", Body: s.openapi}, nil
}

// mayIdentify is whether the caller may see whose card it is.
func mayIdentify(ctx context.Context) bool { return callerOf(ctx).Has(contract.RightIdentity) }

type authenticatorsOutput struct{ Body []contract.Authenticator }

func (s *Server) listAuthenticators(ctx context.Context, _ *struct{}) (*authenticatorsOutput, error) {
	snapshot := s.config.Inventory.View().Snapshot()
	if !mayIdentify(ctx) {
		snapshot = s.config.Inventory.View().Masked()
	}
	return &authenticatorsOutput{Body: orEmpty(snapshot.Authenticators)}, nil
}

// AuthenticatorID is exported because huma sees into no other embedded struct.
type AuthenticatorID struct {
	ID string `path:"id" maxLength:"128" doc:"of the authenticator, from the list or an event"`
}

type authenticatorOutput struct{ Body contract.Authenticator }

func (s *Server) getAuthenticator(ctx context.Context, in *AuthenticatorID) (*authenticatorOutput, error) {
	a, ok := s.config.Inventory.View().Authenticator(in.ID, mayIdentify(ctx))
	if !ok {
		return nil, noAuthenticator()
	}
	return &authenticatorOutput{Body: a}, nil
}

type certificatesOutput struct{ Body []contract.Certificate }

func (s *Server) listCertificates(ctx context.Context, in *AuthenticatorID) (*certificatesOutput, error) {
	list, ok := s.config.Inventory.View().Certificates(in.ID, mayIdentify(ctx))
	if !ok {
		return nil, noAuthenticator()
	}
	return &certificatesOutput{Body: orEmpty(list)}, nil
}

// readInput has no fields, and says so to who sends some.
type readInput struct {
	AuthenticatorID
	Body *struct{}
}

// readAuthenticator asks for a fresh read and does not wait for it. It takes
// the right lease, not only read: it causes device I/O, though it costs no
// PIN try and needs no right to use the authenticator.
func (s *Server) readAuthenticator(_ context.Context, in *readInput) (*struct{}, error) {
	if err := s.config.Inventory.Reread(in.ID); err != nil {
		if errors.Is(err, inventory.ErrNotFound) {
			return nil, noAuthenticator()
		}
		return nil, err
	}
	return nil, nil
}

func noAuthenticator() error {
	return refuse(failure.NotFound, "path.id", "there is no such authenticator now; GET /v1/authenticators lists them")
}

// orEmpty makes an absent list an empty one: clients loop over it.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func sortedKeys(m map[string]int) []string { return slices.Sorted(maps.Keys(m)) }
