package inventory

import (
	"context"
	"errors"
	"time"

	"authbridge/agent/contract"
)

// A source that fails is started again, soon at first and then ever slower; one
// that ran for a while starts over.
const (
	restartFirst = 250 * time.Millisecond
	restartMost  = 30 * time.Second
	restartReset = time.Minute
)

var errSourceEnded = errors.New("the source ended by itself")

// supervise keeps one source running until ctx ends.
func (i *Inventory) supervise(ctx context.Context, n int) {
	source := i.config.Sources[n]
	publish := func(o Observation) { i.inbox <- observed{n, o} } // the owner outlives the sources
	wait := restartFirst
	for {
		began := time.Now()
		err := source.Run(ctx, publish)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = errSourceEnded
		}
		i.restarts.Add(1)
		if i.config.Log != nil {
			i.config.Log.WithError(err).WithField("source", source.Name()).Warn("a source failed and is started again")
		}
		// What it had seen is no longer observed, so it is no longer known.
		publish(Observation{Source: contract.Source{
			Name: source.Name(), State: "down", Code: codeOf(err), Detail: err.Error(), ObservedAt: i.config.Now(),
		}})
		if time.Since(began) >= restartReset {
			wait = restartFirst
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
		wait = min(2*wait, restartMost)
	}
}

// codeOf is the failure code that an error carries, if it does.
func codeOf(err error) string {
	var coded interface{ FailureCode() string }
	if errors.As(err, &coded) {
		return coded.FailureCode()
	}
	return ""
}
