package mockcis2

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/errgroup"

	"authbridge/agent/cis2"
)

// logoutEvent is the member of events that makes a token a logout token (OpenID
// Connect Back-Channel Logout 1.0, 2.4).
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

const (
	logoutFor     = 2 * time.Minute
	logoutTimeout = 5 * time.Second
	// allLogoutsTimeout bounds those of many sessions, which one that does not
	// answer would hold up.
	allLogoutsTimeout = 30 * time.Second
	// mostBrought is how many logout tokens are on their way at once.
	mostBrought = 8
)

// What is wrong with logout tokens only, for [Server.LogoutToken], or, with the
// last two, unusual and right.
const (
	LogoutNonce   = "logout-nonce"
	LogoutNoSID   = "logout-no-sid"
	LogoutNoEvent = "logout-no-event"
	LogoutOld     = "logout-old" // issued an hour ago, and not expired
	LogoutAudList = "logout-aud-list"
	LogoutNewKey  = "logout-new-key" // signed by a key that is published beside the others from now on
	WrongIssuer   = "wrong-iss"
)

// Delivery is what became of a logout token.
type Delivery struct {
	Client   string        `json:"client"`
	Endpoint string        `json:"endpoint"`
	Status   int           `json:"status,omitempty"` // of the answer; 0: none came
	Took     time.Duration `json:"took"`
	Error    string        `json:"error,omitempty"`
}

// LogoutToken makes and signs a logout token; wrong names what is with it.
func (s *Server) LogoutToken(client, user, sid string, wrong ...string) (string, error) {
	now := s.config.Now()
	claims := map[string]any{
		"iss": s.issuer, "aud": client, "sub": user, "sid": sid, "jti": newID(),
		"iat": seconds(now), "exp": seconds(now.Add(logoutFor)),
		"events": map[string]any{logoutEvent: map[string]any{}},
	}
	for _, name := range wrong {
		switch name {
		case WrongIssuer:
			claims["iss"] = s.issuer + "/other"
		case IssuerNoPort:
			claims["iss"] = s.issuerIn(faults{{Name: IssuerNoPort}})
		case WrongAudience:
			claims["aud"] = wrongAudience
		case WrongSubject:
			claims["sub"] = wrongUser
		case LogoutAudList:
			claims["aud"] = []string{client}
		case LogoutNonce:
			claims["nonce"] = newID()
		case LogoutNoSID:
			delete(claims, "sid")
		case LogoutNoEvent:
			delete(claims, "events")
		case LogoutOld:
			shift(claims, -time.Hour, "iat")
		case Expired:
			shift(claims, -time.Hour, "iat", "exp")
		case BadSignature, LogoutNewKey:
		default:
			return "", fmt.Errorf("a logout token has no fault %s", name)
		}
	}
	sign := s.keys.sign
	if slices.Contains(wrong, LogoutNewKey) {
		sign = s.keys.signAnew
	}
	token, err := sign(claims, logoutTokenType, jose.RS256)
	if err == nil && slices.Contains(wrong, BadSignature) {
		token = spoil(token)
	}
	return token, err
}

// Sessions is how many there are.
func (s *Server) Sessions() int {
	now := s.config.Now()
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	n := 0
	for _, kept := range s.book.sessions.all {
		if now.Before(kept.until) {
			n++
		}
	}
	return n
}

// EndSessions ends all sessions of a user, or of everybody where it is empty,
// and brings the logout tokens before it returns; those that are not brought in
// allLogoutsTimeout are not brought.
func (s *Server) EndSessions(ctx context.Context, user string) (n int, brought []Delivery) {
	now := s.config.Now()
	var ended []*session
	s.book.mu.Lock()
	for key, kept := range s.book.sessions.all {
		if now.Before(kept.until) && (user == "" || kept.value.auth.user == user) {
			ended = append(ended, kept.value)
			delete(s.book.sessions.all, key)
		}
	}
	s.book.mu.Unlock()
	return len(ended), s.tellEnded(ctx, ended...)
}

// tellEnded brings a logout token to each client that got a token in a session.
// Nobody else has the sessions any more.
func (s *Server) tellEnded(ctx context.Context, ended ...*session) []Delivery {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), allLogoutsTimeout) // the browser may be gone
	defer cancel()
	var all []Delivery
	var mu sync.Mutex // guards all
	var group errgroup.Group
	group.SetLimit(mostBrought)
	for _, one := range ended {
		for _, name := range slices.Sorted(maps.Keys(one.clients)) {
			client, ok := s.book.client(name)
			if !ok || client.BackChannelLogout == "" {
				continue
			}
			group.Go(func() error {
				d := s.bring(ctx, client, one)
				mu.Lock()
				defer mu.Unlock()
				all = append(all, d)
				return nil
			})
		}
	}
	_ = group.Wait() // none returns one
	slices.SortFunc(all, func(a, b Delivery) int { return cmp.Compare(a.Client, b.Client) })
	return all
}

func (s *Server) bring(ctx context.Context, client *Client, ended *session) Delivery {
	d := Delivery{Client: client.ClientID, Endpoint: client.BackChannelLogout}
	from := s.config.Now()
	token, err := s.LogoutToken(client.ClientID, ended.auth.user, ended.id)
	if err == nil {
		d.Status, err = s.post(ctx, client.BackChannelLogout, url.Values{"logout_token": {token}})
	}
	d.Took = s.config.Now().Sub(from)
	if err != nil {
		d.Error = "it was not brought"
		s.config.Log.WithField("client", client.ClientID).WithError(err).Warn("mock: a logout token was not brought")
	}
	return d
}

func (s *Server) post(ctx context.Context, to string, values url.Values) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, logoutTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(values.Encode()))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := s.config.HTTP.Do(request)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, mostBody))
	return answer.StatusCode, nil
}

// logoutHint is what an ID token says when it comes back as a hint.
type logoutHint struct {
	Subject  string        `json:"sub"`
	Audience cis2.Audience `json:"aud"`
	Session  string        `json:"sid"`
}
