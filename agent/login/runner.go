package login

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"sync"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/lease"
	"authbridge/agent/store"
)

// mostRuns bounds the runs under way, those in the queue for an authenticator
// included.
const mostRuns = 2000

// mostListed bounds what Logins tells.
const mostListed = 500

// Runner runs logins. Its methods may be called concurrently.
type Runner struct {
	config    Config
	closeIdle func()

	ctx    context.Context // of all runs
	cancel context.CancelCauseFunc
	work   sync.WaitGroup
	turns  turns

	mu     sync.Mutex // guards what follows
	over   bool       // Shutdown was called
	runs   map[string]*run
	ended  int
	remove []string // ids of runs that are over, the oldest first
}

// remembered is how many runs that are over are answered from memory.
const remembered = 200

// New makes a runner. Runs that were under way when the last daemon ended are
// aborted, with the steps that they had.
func New(ctx context.Context, config Config) (*Runner, error) {
	r := &Runner{runs: make(map[string]*run)}
	r.config, r.closeIdle = config.complete()
	r.ctx, r.cancel = context.WithCancelCause(context.Background())
	if err := r.cutOff(ctx); err != nil {
		r.cancel(err)
		return nil, err
	}
	r.clearStages()
	return r, nil
}

// cutOff aborts what the last daemon left in the middle, and forgets old runs.
func (r *Runner) cutOff(ctx context.Context) error {
	left, err := r.config.Store.UnfinishedLogins(ctx)
	if err != nil {
		return err
	}
	for _, record := range left {
		l := &record.Login
		problem := (&failure.Error{Code: failure.LoginCutOff}).Problem()
		l.State, l.EndedAt, l.Problem = contract.LoginAborted, r.now(), &problem
		l.Summary = summary(l)
		if err := r.config.Store.PutLogin(ctx, record); err != nil {
			return err
		}
		r.config.Tell(told(record.Owner, *l, nil))
	}
	_, err = r.config.Store.PruneLogins(ctx, r.config.Keep, r.now().Add(-r.config.KeepFor))
	return err
}

// now is the wall clock, as exact as it is kept.
func (r *Runner) now() time.Time { return r.config.Now().UTC().Truncate(time.Microsecond) }

// Run returns when ctx has ended and no run is under way any more; it ends them.
func (r *Runner) Run(ctx context.Context) error {
	<-ctx.Done()
	return r.Shutdown(context.WithoutCancel(ctx))
}

// Shutdown aborts all runs and returns once they are written and their leases
// are given back, or with ctx's error.
func (r *Runner) Shutdown(ctx context.Context) error {
	r.mu.Lock()
	r.over = true
	r.mu.Unlock()
	r.cancel(&failure.Error{Code: failure.ShuttingDown})
	done := make(chan struct{})
	go func() {
		r.work.Wait()
		close(done)
	}()
	select {
	case <-done:
		r.closeIdle()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Begin begins a run for a caller, whose rights and leases it uses. What is
// wrong with the request by itself is an error; all else is a step of the run,
// whose evidence is kept. The PIN and the tokens in the request are the
// runner's from then on, and are wiped.
func (r *Runner) Begin(ctx context.Context, by lease.Caller, request contract.LoginRequest) (contract.Login, error) {
	begun, err := r.begin(ctx, by, request)
	if err != nil {
		request.Wipe()
	}
	return begun, err
}

func (r *Runner) begin(ctx context.Context, by lease.Caller, request contract.LoginRequest) (contract.Login, error) {
	a, err := examine(request, r.config.Targets)
	if err != nil {
		return contract.Login{}, err
	}
	if err := r.castable(&a); err != nil {
		return contract.Login{}, err
	}
	if a.Mode != contract.DriveTokens {
		by.Lease = "" // it takes leases of its own
	}
	one := newRun(r, by, a)
	r.mu.Lock()
	switch {
	case r.over:
		err = &failure.Error{Code: failure.ShuttingDown}
	case len(r.runs)-len(r.remove) >= mostRuns:
		err = &failure.Error{Code: failure.LoginTooMany}
	default:
		r.runs[one.id] = one
		r.work.Add(1)
	}
	r.mu.Unlock()
	if err != nil {
		return contract.Login{}, err
	}
	begun := one.snapshot()
	if err := r.config.Store.PutLogin(ctx, store.Login{Login: begun, Owner: by.Owner}); err != nil {
		r.mu.Lock()
		delete(r.runs, one.id)
		r.mu.Unlock()
		r.work.Done()
		return contract.Login{}, err
	}
	r.config.Tell(told(by.Owner, begun, nil))
	go func() {
		defer r.work.Done()
		one.run()
	}()
	return begun, nil
}

// Login finds a run, and whose it is. Its user is not masked.
func (r *Runner) Login(ctx context.Context, id string) (contract.Login, contract.Owner, error) {
	if one := r.find(id); one != nil {
		return one.snapshot(), one.by.Owner, nil
	}
	record, err := r.config.Store.Login(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		err = &failure.Error{Code: failure.LoginUnknown, Field: "path.id"}
	}
	return record.Login, record.Owner, err
}

// Logins are the newest runs, the newest first, as Login has them.
func (r *Runner) Logins(ctx context.Context) ([]contract.Login, error) {
	records, err := r.config.Store.Logins(ctx, mostListed)
	if err != nil {
		return nil, err
	}
	all := make([]contract.Login, len(records))
	for i := range records {
		all[i] = records[i].Login
	}
	return all, nil
}

// Await waits until a run is over.
func (r *Runner) Await(ctx context.Context, id string) (contract.Login, error) {
	if one := r.find(id); one != nil {
		select {
		case <-one.done:
		case <-ctx.Done():
			return contract.Login{}, &failure.Error{Code: failure.RequestTimeout, Detail: "the call ended before the run did", Err: context.Cause(ctx)}
		}
	}
	found, _, err := r.Login(ctx, id)
	return found, err
}

// Cancel aborts a run and returns once it is over and its lease given back. One
// that is over stays as it is.
func (r *Runner) Cancel(ctx context.Context, id string) (contract.Login, error) {
	if one := r.find(id); one != nil {
		one.cancel(&failure.Error{Code: failure.LoginCancelled})
	}
	return r.Await(ctx, id)
}

// Report is the report of a run, with the media type of its form.
func (r *Runner) Report(ctx context.Context, id string, form contract.LoginReportForm) (body []byte, mediaType string, err error) {
	found, _, err := r.Login(ctx, id)
	if err != nil {
		return nil, "", err
	}
	return Render(form, found)
}

func (r *Runner) find(id string) *run {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.runs[id]
}

// finished keeps a run that is over for those who ask for it soon, and forgets
// old ones.
func (r *Runner) finished(one *run) {
	r.mu.Lock()
	r.remove = append(r.remove, one.id)
	for len(r.remove) > remembered {
		delete(r.runs, r.remove[0])
		r.remove = slices.Delete(r.remove, 0, 1)
	}
	r.ended++
	prune := r.ended%remembered == 0
	r.mu.Unlock()
	if !prune {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), writeTime)
	defer cancel()
	if _, err := r.config.Store.PruneLogins(ctx, r.config.Keep, r.now().Add(-r.config.KeepFor)); err != nil {
		r.config.Log.WithError(err).Warn("old login runs are not forgotten")
	}
}

func newID() string {
	var octets [8]byte
	_, _ = rand.Read(octets[:]) // never fails (crypto/rand)
	return "login-" + hex.EncodeToString(octets[:])
}
