package mockcis2

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"
)

// clientKeys are the public keys of clients, fetched from where they publish
// them.
type clientKeys struct {
	http *http.Client
	now  func() time.Time
	one  singleflight.Group // one fetch at a time for each client

	mu  sync.Mutex // guards all
	all map[string]fetchedKeys
}

type fetchedKeys struct {
	set jose.JSONWebKeySet
	at  time.Time
}

const (
	fetchTimeout = 5 * time.Second
	fetchedFor   = 5 * time.Minute
	// fetchAgain is after how long an unknown kid may ask again: whoever sends
	// made up ones makes us call no more often.
	fetchAgain = 5 * time.Second
	mostJWKS   = 64 << 10 // octets
)

func newClientKeys(client *http.Client, now func() time.Time) *clientKeys {
	return &clientKeys{http: client, now: now, all: make(map[string]fetchedKeys)}
}

// forget is for a registration that has changed.
func (c *clientKeys) forget(client string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.all, client)
}

// find looks up a client's key by its kid, in what was fetched and then in what
// is published now. The problem is for the client.
func (c *clientKeys) find(ctx context.Context, client *Client, kid string) (keys []jose.JSONWebKey, problem string) {
	if len(client.JWKS) > 0 {
		var set jose.JSONWebKeySet
		if err := json.Unmarshal(client.JWKS, &set); err != nil {
			return nil, "the client's registered JWKS cannot be read"
		}
		return found(set.Key(kid))
	}
	c.mu.Lock()
	known, ok := c.all[client.ClientID]
	c.mu.Unlock()
	age := c.now().Sub(known.at)
	if keys := known.set.Key(kid); ok && age < fetchedFor && len(keys) > 0 {
		return keys, ""
	}
	if !ok || age >= fetchAgain {
		fetched, err, _ := c.one.Do(client.ClientID, func() (any, error) { return c.fetch(ctx, client) })
		if err != nil {
			return nil, "the client's JWKS cannot be fetched"
		}
		known.set = fetched.(jose.JSONWebKeySet)
	}
	return found(known.set.Key(kid))
}

func found(keys []jose.JSONWebKey) ([]jose.JSONWebKey, string) {
	if len(keys) == 0 {
		return nil, "the client publishes no key of this kid"
	}
	return keys, ""
}

func (c *clientKeys) fetch(ctx context.Context, client *Client) (jose.JSONWebKeySet, error) {
	var set jose.JSONWebKeySet
	// Who asks first may go away; the others still wait.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, client.JWKSURI, http.NoBody)
	if err != nil {
		return set, fmt.Errorf("JWKS: %w", err)
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return set, fmt.Errorf("JWKS: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return set, fmt.Errorf("JWKS: status %d", answer.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, mostJWKS+1))
	if err != nil || len(body) > mostJWKS {
		return set, errors.New("JWKS: cut off or too long")
	}
	if err := json.Unmarshal(body, &set); err != nil {
		return set, fmt.Errorf("JWKS: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all[client.ClientID] = fetchedKeys{set, c.now()}
	return set, nil
}
