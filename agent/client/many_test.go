package client_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"authbridge/agent/api/apitest"
	"authbridge/agent/client"
	"authbridge/agent/contract"
)

// TestHundredsFollowAndNoneMissesAnything: each stream tells every event, once
// and in order.
func TestHundredsFollowAndNoneMissesAnything(t *testing.T) {
	const followers, rounds = 300, 20
	s := apitest.Start(t, apitest.Options{})
	s.Observe(t, cards())
	last := fmt.Sprintf("card-%02d", rounds)
	enough := errors.New("enough")
	var begun, ended sync.WaitGroup
	failures := make(chan error, followers)
	for range followers {
		begun.Add(1)
		ended.Go(func() {
			c := &client.Client{URL: "unix://" + s.Socket}
			defer c.Close()
			var at contract.EventID
			err := c.Events(context.WithoutCancel(t.Context()), "", func(e client.Event) error {
				id, err := contract.ParseEventID(e.ID)
				switch {
				case err != nil:
					return err
				case e.Snapshot != nil:
					at = id
					begun.Done()
					return nil
				case id.Seq != at.Seq+1:
					return fmt.Errorf("event %s after %s", id, at)
				}
				at = id
				if e.Event.Subject == last {
					return enough
				}
				return nil
			})
			if !errors.Is(err, enough) {
				failures <- err
			}
		})
	}
	begun.Wait()
	var ids []string
	for n := range rounds {
		ids = append(ids, fmt.Sprintf("card-%02d", n+1))
		s.Observe(t, cards(ids...))
	}
	ended.Wait()
	close(failures)
	for err := range failures {
		t.Error(err)
	}
}
