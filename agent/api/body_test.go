package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"authbridge/agent/contract"
)

// pinOf is the PIN as encoding/json would have taken it.
func pinOf(body []byte) string {
	var outer struct {
		PIN json.RawMessage `json:"pin"`
	}
	if json.Unmarshal(body, &outer) != nil {
		return ""
	}
	var text string
	if json.Unmarshal(outer.PIN, &text) == nil {
		return text
	}
	var inner struct {
		Value json.RawMessage `json:"value"`
	}
	if json.Unmarshal(outer.PIN, &inner) == nil && json.Unmarshal(inner.Value, &text) == nil {
		return text
	}
	return ""
}

// FuzzCutPIN holds the walk against encoding/json: what that would have read as
// the PIN is cut, in the body as many stars stand there, and nothing else is
// changed.
func FuzzCutPIN(f *testing.F) {
	for _, seed := range []string{
		`{"pin":"1234"}`, `{"pin":{"value":"1234","ask":true}}`, `{"p\u0069n":{"VALUE":"\u0031\""}}`, `{"options":{"pin":"x","value":"y"},"pin":{"value":"z"}}`,
		`[{"pin":"1234"}]`, `{"pin":["1234"]}`, `{"pin":[{"value":"1"}]}`, `{"pin":{"value":{"value":"1"}}}`, `{"pin":"1","PIN":"2"}`, `"pin"`, `{"a":"pin","b":":"}`, `{"pin" : "ſ"}`, `{"pin":""}`, "",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		pin, e := cutPIN(body)
		if e != nil {
			if pin != nil || strings.ContainsAny(e.Detail, "\"{[") {
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
		want := pinOf(before)
		if string(pin) != want {
			t.Fatalf("cut %q out of %q, want %q", pin, before, want)
		}
		if got := pinOf(body); got != strings.Repeat("*", len([]rune(want))) {
			t.Errorf("%q is left in %q", got, body)
		}
		if want == "" && !bytes.Equal(bytes.TrimSpace(before), bytes.TrimSpace(body)) {
			t.Errorf("without a PIN %q became %q", before, body)
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
	pin, e := cutPIN([]byte(`{"pin":"1","PIN":"2"}`))
	if e == nil || pin != nil {
		t.Errorf("%q, %v", pin, e)
	}
	held := &heldPIN{contract.Secret(text)}
	if got := string(held.pin); got != text {
		t.Error(got)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
