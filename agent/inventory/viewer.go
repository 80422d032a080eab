package inventory

import (
	"fmt"

	"authbridge/agent/contract"
)

// Viewer is who looks at an event.
type Viewer struct {
	// Identity shows personal data.
	Identity bool
	// Owner shows what is that owner's alone; zero: nothing that is somebody's.
	Owner contract.Owner
}

// publicEvent is the event of a ceremony or login run as everybody may see it:
// that the authenticator is in use, not what the person at it is asked, nor what
// came of it.
func publicEvent(event contract.Event) contract.Event {
	if event.Login != nil {
		l := event.Login.Public()
		event.Login, event.Text = &l, fmt.Sprintf("%s is %s", l.ID, l.State)
		return event
	}
	c := *event.Ceremony
	c.Prompt, c.Problem, c.Result = nil, nil, nil
	event.Ceremony, event.Text = &c, inUse(&c)
	return event
}

// withoutResult is the event as even the owner of the ceremony sees it: what
// came of it is asked for, not told.
func withoutResult(event contract.Event) contract.Event {
	if event.Ceremony != nil && event.Ceremony.Result != nil {
		c := *event.Ceremony
		c.Result = nil
		event.Ceremony = &c
	}
	return event
}

// inUse says for everybody how far a ceremony has come.
func inUse(c *contract.Ceremony) string {
	if c.State.Over() {
		return fmt.Sprintf("%s is no longer in use (%s: %s)", c.Name, c.Type, c.State)
	}
	return fmt.Sprintf("%s is in use (%s)", c.Name, c.Type)
}
