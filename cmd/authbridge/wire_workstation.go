package main

import (
	"context"
	"runtime"
	"time"

	"authbridge/agent/health"
	"authbridge/agent/workstation"
	"authbridge/fido/hello"
	"authbridge/platform/nhs"
)

// station makes the source that looks at the software of this machine; listen is
// where the daemon does.
func station(listen string) *workstation.Source {
	looker := nhs.Looker{Listen: listen}
	started := time.Now()
	return workstation.New(workstation.Config{Windows: runtime.GOOS == "windows", Look: func(ctx context.Context) health.Workstation {
		w := workstation.Facts(looker.Look(ctx))
		// In a person's session the daemon is told by Windows itself.
		if state, err := hello.Ask(); err == nil {
			w.Sessions = []health.Session{{
				Who: "the daemon itself", Since: started, At: w.At, API: state.API, Available: state.Available, Remote: state.Remote,
			}}
		}
		return w
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
