package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"authbridge/agent/contract"
)

// secretsOf are those that encoding/json would have taken.
func secretsOf(body []byte) (pin, id, access string) {
	var outer struct {
		PIN    json.RawMessage `json:"pin"`
		Tokens json.RawMessage `json:"tokens"`
	}
	if json.Unmarshal(body, &outer) != nil {
		return "", "", ""
	}
	var inner struct {
		Value  json.RawMessage `json:"value"`
		ID     json.RawMessage `json:"id_token"`
		Access json.RawMessage `json:"access_token"`
	}
	text := func(raw json.RawMessage) (s string) {
		if json.Unmarshal(raw, &s) != nil {
			return ""
		}
		return s
	}
	if pin = text(outer.PIN); pin == "" && json.Unmarshal(outer.PIN, &inner) == nil {
		pin = text(inner.Value)
	}
	inner.ID, inner.Access = nil, nil
	if json.Unmarshal(outer.Tokens, &inner) == nil {
		id, access = text(inner.ID), text(inner.Access)
	}
	return pin, id, access
}

// FuzzCutSecrets holds the walk against encoding/json: what that would have read
// as a secret is cut, in the body as many stars stand there, and nothing else is
// changed.
func FuzzCutSecrets(f *testing.F) {
	for _, seed := range []string{
		`{"pin":"1234"}`, `{"pin":{"value":"1234","ask":true}}`, `{"p\u0069n":{"VALUE":"\u0031\""}}`, `{"options":{"pin":"x","value":"y"},"pin":{"value":"z"}}`,
		`[{"pin":"1234"}]`, `{"pin":["1234"]}`, `{"pin":[{"value":"1"}]}`, `{"pin":{"value":{"value":"1"}}}`, `{"pin":"1","PIN":"2"}`, `"pin"`, `{"a":"pin","b":":"}`, `{"pin" : "ſ"}`, `{"pin":""}`, "",
		`{"tokens":{"id_token":"a.b.c","access_token":"d","nonce":"e"},"pin":"f"}`, `{"tokens":{"value":"x","id_token":{"id_token":"y"}},"id_token":"z"}`, `{"TOKENS":{"ID_token":"a","id_token":"b"}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		held, e := cutSecrets(body)
		if e != nil {
			if held != nil || strings.ContainsAny(e.Detail, "\"{[") {
				t.Errorf("refused with %v", e)
			}
			return
		}
		if len(body) == 0 {
			return
		}
		if len(body) != len(before) || !json.Valid(body) {
			t.Fatalf("%q became %q", before, body)
		}
		pin, id, access := secretsOf(before)
		if string(held.pin) != pin || string(held.idToken) != id || string(held.accessToken) != access {
			t.Fatalf("cut %q, %q, %q out of %q", held.pin, held.idToken, held.accessToken, before)
		}
		stars := func(s string) string { return strings.Repeat("*", len([]rune(s))) }
		if p, i, a := secretsOf(body); p != stars(pin) || i != stars(id) || a != stars(access) {
			t.Errorf("%q, %q, %q are left in %q", p, i, a, body)
		}
		if pin+id+access == "" && !bytes.Equal(bytes.TrimSpace(before), bytes.TrimSpace(body)) {
			t.Errorf("without a secret %q became %q", before, body)
		}
	})
}

// TestABodyIsWiped: each buffer of ours.
func TestABodyIsWiped(t *testing.T) {
	const text = "canary"
	long := strings.Repeat(text, 500)
	for _, size := range []int64{int64(len(long)), -1, 3} {
		got, err := readWhole(iotest.OneByteReader(strings.NewReader(long)), size)
		if err != nil || string(got) != long {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		body := newSentBody(got)
		if read, err := io.ReadAll(body); err != nil || string(read) != long {
			t.Errorf("%d bytes, %v", len(read), err)
		}
		wipe(body)
		if bytes.Contains(got, []byte("c")) {
			t.Errorf("left: %q", got)
		}
	}
	var seen []byte // what the reader was given to fill
	spy := readerFunc(func(p []byte) (int, error) {
		if seen != nil {
			return 0, io.ErrUnexpectedEOF
		}
		seen = p
		return copy(p, text), nil
	})
	if _, err := readWhole(spy, 10); !errors.Is(err, io.ErrUnexpectedEOF) || bytes.Contains(seen, []byte("c")) {
		t.Errorf("%v, left: %q", err, seen)
	}
	for field, twice := range map[string]string{"body.pin": `{"pin":"1","PIN":"2"}`, "body.tokens": `{"tokens":{"id_token":"1","id_token":"2"}}`} {
		if held, e := cutSecrets([]byte(twice)); e == nil || held != nil || e.Field != field {
			t.Errorf("%s: %v, %v", twice, held, e)
		}
	}
	held := &heldSecrets{contract.Secret("canary"), contract.Secret("canary"), contract.Secret("canary")}
	all := *held
	held.wipe()
	if left := slices.Concat(all.pin, all.idToken, all.accessToken); bytes.Contains(left, []byte("c")) {
		t.Errorf("left: %q", left)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
