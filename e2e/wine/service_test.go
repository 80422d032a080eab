//go:build linux && e2e

package wine_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"authbridge/agent/contract"
)

// service is what the manager keeps of it, and eventSource the event log.
const (
	service     = `HKLM\SYSTEM\CurrentControlSet\Services\authbridge`
	eventSource = `HKLM\SYSTEM\CurrentControlSet\Services\EventLog\Application\authbridge`
)

// serviceIs waits until the manager says so.
func serviceIs(state string) func(*machine) error { return serviceTurns(state, patience) }

func serviceTurns(state string, within time.Duration) func(*machine) error {
	return func(m *machine) error {
		look := time.NewTicker(200 * time.Millisecond)
		defer look.Stop()
		for late := time.After(within); ; {
			err := says([]string{"sc", "query", "authbridge"}, state)(m)
			if err == nil {
				return nil
			}
			select {
			case <-look.C:
			case <-late:
				return err
			}
		}
	}
}

// noService asks the manager itself, whose code for it is 1060.
func noService(m *machine) error { return refuses(1060&0xff, []string{"sc", "query", "authbridge"})(m) }

// anyCall is the first one after a start, which Wine loses.
func anyCall(m *machine) error {
	_, _ = m.run(authbridge("status")...)
	return nil
}

// keysOf are the ids of the service's authenticators, the same as long as its state is.
func keysOf(m *machine) (ids []string, err error) {
	out, err := m.run(authbridge("status", "--json")...)
	if err != nil {
		return nil, err
	}
	var now contract.Snapshot
	if err := json.Unmarshal([]byte(out), &now); err != nil {
		return nil, err
	}
	for _, a := range now.Authenticators {
		ids = append(ids, a.ID)
	}
	slices.Sort(ids)
	if ids == nil {
		err = fmt.Errorf("it has none:\n%s", out)
	}
	return ids, err
}

// keeping has the same authenticators after a step as before it.
func keeping(step func(*machine) error) func(*machine) error {
	return func(m *machine) error {
		before, err := keysOf(m)
		if err != nil {
			return err
		}
		if err := steps(step, serviceIs("RUNNING"), anyCall)(m); err != nil {
			return err
		}
		after, err := keysOf(m)
		if err == nil && !slices.Equal(before, after) {
			err = fmt.Errorf("before %v, after %v", before, after)
		}
		return err
	}
}

func stateStays(m *machine) error {
	_, err := os.Stat(m.file("ProgramData", "authbridge", "authbridge.db"))
	return err
}

func gone(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is there: %w", path, err)
	}
	return nil
}
