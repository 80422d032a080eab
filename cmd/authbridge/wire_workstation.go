package main

import (
	"context"

	"authbridge/agent/health"
	"authbridge/agent/workstation"
	"authbridge/platform/nhs"
)

// station makes the source that looks at the software of this machine; listen is
// where the daemon does.
func station(listen string) *workstation.Source {
	looker := nhs.Looker{Listen: listen}
	return workstation.New(workstation.Config{Look: func(ctx context.Context) health.Workstation {
		return workstation.Facts(looker.Look(ctx))
	}})
}

// lookouts are all that look while somebody is interested in a target.
type lookouts []interface{ Ask(target string) }

// Ask tells all of them.
func (l lookouts) Ask(target string) {
	for _, one := range l {
		one.Ask(target)
	}
}
