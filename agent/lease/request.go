package lease

import (
	"slices"
	"strings"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// mock is the one target that is not real.
const mock = "mock"

// The bounds of what can be asked for.
const (
	shortestTTL = time.Second
	defaultTTL  = 5 * time.Minute
	longestTTL  = 8 * time.Hour
	longestWait = 10 * time.Minute
)

// asked is a request that is in order, with all settled that it left open.
type asked struct {
	want contract.Requirement // with its origin
	ttl  time.Duration
	wait time.Duration
}

// examineRequest settles what a request asks for, or refuses it for what it
// says by itself, whatever authenticators there are.
func examineRequest(by Caller, request contract.LeaseRequest, targets []string) (asked, error) {
	a := asked{want: request.Requirement}
	if !slices.Contains(targets, request.Target) {
		return asked{}, refuse(failure.BadRequest, "body.target", "allowed: "+strings.Join(targets, ", "))
	}
	if request.Authenticator == "" && request.AAL == 0 {
		return asked{}, refuse(failure.BadRequest, "body.aal", "2 or 3 is needed where no authenticator is named")
	}
	var err error
	if a.ttl, err = parseTTL(request.TTL, defaultTTL); err != nil {
		return asked{}, err
	}
	if a.wait, err = parseWait(request.Wait); err != nil {
		return asked{}, err
	}
	if a.want.Origin == "" {
		a.want.Origin = usualOrigin(request.Target)
	}
	switch {
	case request.Target != mock && a.want.Origin != contract.Physical:
		return asked{}, refuse(failure.LeaseUnmet, "", "a virtual authenticator is ready for the mock only, never for "+request.Target)
	case a.want.Origin == contract.Physical && !by.has(contract.RightPhysical):
		return asked{}, refuse(failure.PhysicalRight, "", "the caller does not have the right physical")
	case request.Takeover && !by.has(contract.RightAdmin):
		return asked{}, refuse(failure.Forbidden, "body.takeover", "to end somebody's lease needs the right admin")
	}
	return a, nil
}

// usualOrigin is the origin of the authenticators that are meant where a
// request does not say (DESIGN 5.3).
func usualOrigin(target string) contract.Origin {
	if target == mock {
		return contract.Virtual
	}
	return contract.Physical
}

func parseTTL(text string, absent time.Duration) (time.Duration, error) {
	if text == "" {
		return absent, nil
	}
	ttl, err := time.ParseDuration(text)
	if err != nil || ttl < shortestTTL || ttl > longestTTL {
		return 0, refuse(failure.BadRequest, "body.ttl", "allowed: a duration such as 90s, from "+short(shortestTTL)+" to "+short(longestTTL))
	}
	return ttl, nil
}

func parseWait(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	wait, err := time.ParseDuration(text)
	if err != nil || wait < 0 || wait > longestWait {
		return 0, refuse(failure.BadRequest, "body.wait", "allowed: a duration such as 30s, at most "+short(longestWait))
	}
	return wait, nil
}

// short writes whole hours and minutes without the zeros behind them.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func (c Caller) has(right contract.Right) bool { return slices.Contains(c.Rights, right) }

func refuse(code failure.Code, field, detail string) *failure.Error {
	return &failure.Error{Code: code, Field: field, Detail: detail}
}
