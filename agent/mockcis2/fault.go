package mockcis2

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Fault is what the server does wrong on request: name, or name:duration for
// those that take one.
type Fault struct {
	Name   string
	Amount time.Duration
}

// The faults.
const (
	NoACR           = "no-acr"
	LevelAsNumber   = "level-number"
	LevelAsText     = "level-text"
	LevelTooLow     = "level-low" // one below what authenticated
	NoLevel         = "no-level"
	IdentityTooLow  = "identity-low" // an identity level of 2
	WrongAudience   = "wrong-aud"
	WrongSubject    = "wrong-sub" // of the ID token and userinfo
	OtherUserinfo   = "other-userinfo"
	Expired         = "expired"
	BadSignature    = "bad-signature"
	IssuerNoPort    = "issuer-no-port"
	WrongNonce      = "wrong-nonce"
	StaleAuthTime   = "stale-auth-time" // an hour before it was
	Slow            = "slow"            // 15 s, or what is given
	InternalError   = "500"
	ClockSkew       = "clock-skew" // 10 minutes ahead, or what is given
	AcceptAnyProof  = "accept-any-proof"
	defaultSlow     = 15 * time.Second
	defaultSkew     = 10 * time.Minute
	staleBy         = time.Hour
	mostFaultings   = 1000
	faultingsFor    = time.Hour
	faultsSeparator = ":"
)

// Faults are the names of all.
func Faults() []string {
	return []string{
		NoACR, LevelAsNumber, LevelAsText, LevelTooLow, NoLevel, IdentityTooLow, WrongAudience, WrongSubject, OtherUserinfo, Expired,
		BadSignature, IssuerNoPort, WrongNonce, StaleAuthTime, Slow, InternalError, ClockSkew, AcceptAnyProof,
	}
}

// ParseFault reads a fault: clock-skew:-90s.
func ParseFault(s string) (Fault, error) {
	name, amount, given := strings.Cut(s, faultsSeparator)
	f := Fault{Name: name}
	if !slices.Contains(Faults(), name) {
		return Fault{}, fmt.Errorf("there is no such fault; allowed: %s", strings.Join(Faults(), ", "))
	}
	switch name {
	case Slow:
		f.Amount = defaultSlow
	case ClockSkew:
		f.Amount = defaultSkew
	}
	if given {
		d, err := time.ParseDuration(amount)
		if err != nil || f.Amount == 0 || d.Abs() > 24*time.Hour || name == Slow && d < 0 {
			return Fault{}, fmt.Errorf("%s takes no such duration", name)
		}
		f.Amount = d
	}
	return f, nil
}

// String is what [ParseFault] reads.
func (f Fault) String() string {
	if f.Amount == 0 {
		return f.Name
	}
	return f.Name + faultsSeparator + f.Amount.String()
}

// Faulting says whose logins go wrong: those of a client, or of one login, told
// by the state of its request. Both empty are all.
type Faulting struct {
	Client, State string
	Faults        []Fault
}

// faults of one login.
type faults []Fault

func (f faults) has(name string) bool {
	_, ok := f.find(name)
	return ok
}

func (f faults) find(name string) (Fault, bool) {
	i := slices.IndexFunc(f, func(one Fault) bool { return one.Name == name })
	if i < 0 {
		return Fault{}, false
	}
	return f[i], true
}

// skew is by how much the server's clock is off for it.
func (f faults) skew() time.Duration {
	fault, _ := f.find(ClockSkew)
	return fault.Amount
}

// SetFaults makes logins go wrong from now on, or go right again where no fault
// is given. That of a single login, told by its state, is forgotten after an
// hour.
func (s *Server) SetFaults(f Faulting) {
	now := s.config.Now()
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	key := f.Client + "\x00" + f.State
	switch {
	case len(f.Faults) == 0:
		delete(s.book.faults.all, key)
		delete(s.book.lasting, key)
	case f.State == "":
		s.book.lasting[key] = slices.Clone(f.Faults)
	default:
		s.book.faults.put(key, slices.Clone(f.Faults), now, now.Add(faultingsFor))
	}
}

// Faulted are the faults in force, sorted by client and state.
func (s *Server) Faulted() []Faulting {
	now := s.config.Now()
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	var all []Faulting
	add := func(key string, f []Fault) {
		client, state, _ := strings.Cut(key, "\x00")
		all = append(all, Faulting{Client: client, State: state, Faults: slices.Clone(f)})
	}
	for key, f := range s.book.lasting {
		add(key, f)
	}
	for key, kept := range s.book.faults.all {
		if now.Before(kept.until) {
			add(key, kept.value)
		}
	}
	slices.SortFunc(all, func(a, b Faulting) int {
		return cmp.Or(cmp.Compare(a.Client, b.Client), cmp.Compare(a.State, b.State))
	})
	return all
}

// faultsOf are those of a login; state is empty where none is known.
func (s *Server) faultsOf(client, state string) faults {
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	return s.book.faultsOf(client, state, s.config.Now())
}

func (b *book) faultsOf(client, state string, now time.Time) (all faults) {
	all = append(all, b.lasting["\x00"]...)
	if client != "" {
		all = append(all, b.lasting[client+"\x00"]...)
	}
	if state != "" {
		for _, c := range slices.Compact([]string{client, ""}) {
			one, _ := b.faults.get(c+"\x00"+state, now)
			all = append(all, one...)
		}
	}
	return all
}
