package inventory

import (
	"context"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// Off is a source that was switched off: it observes nothing and says why.
type Off struct {
	Source string
	Code   failure.Code
	Detail string
}

// Name is the source's name.
func (o Off) Name() string { return o.Source }

// Run says why once, and waits for the end.
func (o Off) Run(ctx context.Context, publish func(Observation)) error {
	publish(Observation{Source: contract.Source{
		Name: o.Source, State: "off", Code: string(o.Code), Detail: o.Detail, ObservedAt: time.Now(),
	}})
	<-ctx.Done()
	return nil
}
