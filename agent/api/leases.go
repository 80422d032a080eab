package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// LeaseID is exported because huma sees into no other embedded struct.
type LeaseID struct {
	ID string `path:"id" maxLength:"64" doc:"of the lease"`
}

type leasesOutput struct{ Body []contract.Lease }

type leaseOutput struct{ Body contract.Lease }

func (s *Server) listLeases(ctx context.Context, _ *struct{}) (*leasesOutput, error) {
	return &leasesOutput{Body: s.shownLeases(ctx, s.config.Leases.Leases())}, nil
}

func (s *Server) getLease(ctx context.Context, in *LeaseID) (*leaseOutput, error) {
	l, ok := s.config.Leases.Lease(in.ID)
	if !ok {
		return nil, refuse(failure.LeaseUnknown, "path.id", "GET /v1/leases lists those there are")
	}
	return &leaseOutput{Body: s.shownLease(ctx, l)}, nil
}

type takeLeaseInput struct{ Body contract.LeaseRequest }

type takeLeaseOutput struct{ Body func(huma.Context) }

// takeLease waits in the queue as long as the request says. Whoever goes away
// meanwhile, or before the answer is written, has no lease.
func (s *Server) takeLease(ctx context.Context, in *takeLeaseInput) (*takeLeaseOutput, error) {
	ctx, release, err := s.hold(ctx)
	if err != nil {
		return nil, err
	}
	s.interested(in.Body.Target)
	if in.Body.Hold == contract.HoldConnection {
		return s.holdLease(ctx, release, in.Body)
	}
	taken, err := s.config.Leases.Take(ctx, callerOf(ctx).asks(), in.Body, nil)
	if err == nil && ctx.Err() != nil {
		s.giveBack(ctx, taken.ID)
		err = ctx.Err()
	}
	if err != nil {
		defer release()
		if cut := cutShort(ctx); cut != nil {
			return nil, cut
		}
		return nil, err
	}
	return &takeLeaseOutput{Body: func(h huma.Context) {
		defer release()
		_, w := humago.Unwrap(h)
		if err := writeLease(w, s.shownNewLease(ctx, taken)); err != nil {
			s.giveBack(ctx, taken.ID)
		}
	}}, nil
}

// giveBack ends a lease whose taker has gone before it was told of it.
func (s *Server) giveBack(ctx context.Context, id string) {
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
	defer cancel()
	if _, err := s.config.Leases.Release(late, callerOf(ctx).asks(), id); err != nil {
		s.failed(ctx, err)
	}
}

func writeLease(w http.ResponseWriter, taken contract.NewLease) error {
	text, err := json.Marshal(taken)
	if err != nil {
		return fmt.Errorf("encode the lease: %w", err)
	}
	defer clear(text)
	w.Header().Set("Content-Type", asJSON)
	w.WriteHeader(http.StatusCreated)
	if _, err := w.Write(text); err != nil {
		return err
	}
	return http.NewResponseController(w).Flush()
}

type renewLeaseInput struct {
	LeaseID
	Body contract.LeaseRenewal
}

func (s *Server) renewLease(ctx context.Context, in *renewLeaseInput) (*leaseOutput, error) {
	if err := ownLease(ctx, in.ID); err != nil {
		return nil, err
	}
	l, err := s.config.Leases.Renew(ctx, callerOf(ctx).asks(), in.ID, in.Body.TTL)
	if err != nil {
		return nil, err
	}
	return &leaseOutput{Body: s.shownLease(ctx, l)}, nil
}

type releaseLeaseInput struct {
	LeaseID
	Body *struct{}
}

// releaseLease answers with what could not be left as it was found.
func (s *Server) releaseLease(ctx context.Context, in *releaseLeaseInput) (*leaseOutput, error) {
	if err := ownLease(ctx, in.ID); err != nil {
		return nil, err
	}
	l, err := s.config.Leases.Release(ctx, callerOf(ctx).asks(), in.ID)
	if err != nil {
		return nil, err
	}
	return &leaseOutput{Body: s.shownLease(ctx, l)}, nil
}

// ownLease keeps a lease's own token to its lease; who else may do what with a
// lease is decided where the lease is.
func ownLease(ctx context.Context, id string) error {
	if caller := callerOf(ctx); caller.Lease != "" && caller.Lease != id {
		return refuse(failure.LeaseNotYours, "path.id", "this is the token of lease "+caller.Lease)
	}
	return nil
}
