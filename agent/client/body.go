package client

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"unicode/utf8"

	"authbridge/agent/contract"
)

// attach makes text the body of a request. net/http reads copies of it, since
// it may read on after the answer has come and once more on a new connection;
// each is wiped when it is closed, and text by who made it.
func attach(request *http.Request, text []byte) {
	again := func() (io.ReadCloser, error) { return &sentBody{text: bytes.Clone(text)}, nil }
	request.Body, _ = again()
	request.GetBody = again
	request.ContentLength = int64(len(text))
}

// sentBody is a body that is wiped when net/http has done with it.
type sentBody struct {
	mu   sync.Mutex // net/http may close it while it reads
	text []byte
	at   int
}

// Read reads.
func (b *sentBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.at == len(b.text) {
		return 0, io.EOF
	}
	n := copy(p, b.text[b.at:])
	b.at += n
	return n, nil
}

// Close wipes it.
func (b *sentBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.text)
	b.text, b.at = nil, 0
	return nil
}

// encode makes the body of a request. Secrets are put into it only when the rest
// is there, because encoding/json keeps its buffers.
func encode(body any) ([]byte, error) {
	var m marks
	switch b := body.(type) {
	case contract.CeremonyRequest:
		b.PIN = m.source(b.PIN)
		body = b
	case contract.PINAnswer:
		body = contract.PINAnswer{PIN: m.put(b.PIN)}
	case contract.LoginRequest:
		b.PIN = m.source(b.PIN)
		if b.Tokens != nil {
			tokens := *b.Tokens
			tokens.IDToken, tokens.AccessToken = m.put(tokens.IDToken), m.put(tokens.AccessToken)
			b.Tokens = &tokens
		}
		body = b
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	return m.fill(text)
}

// marks stand for secrets in a text that is being made.
type marks []struct{ mark, secret contract.Secret }

// put gives what stands for a secret.
func (m *marks) put(secret contract.Secret) contract.Secret {
	if len(secret) == 0 {
		return secret
	}
	mark := contract.Secret(rand.Text())
	*m = append(*m, struct{ mark, secret contract.Secret }{mark, secret})
	return mark
}

func (m *marks) source(pin *contract.PINSource) *contract.PINSource {
	if pin == nil {
		return nil
	}
	source := *pin
	source.Value = m.put(pin.Value)
	return &source
}

// fill puts the secrets where they belong. text is not wiped: it has none.
func (m marks) fill(text []byte) ([]byte, error) {
	if len(m) == 0 {
		return text, nil
	}
	const escaped = 6
	length := len(text)
	for _, s := range m {
		if !utf8.Valid(s.secret) {
			return nil, &UsageError{"PIN or token", "it is no text in UTF-8"}
		}
		length += escaped * len(s.secret)
	}
	whole := make([]byte, 0, length) // it never grows
	for _, s := range m {            // they come in the order of the fields
		before, after, _ := bytes.Cut(text, s.mark)
		whole = appendText(append(whole, before...), s.secret)
		text = after
	}
	return append(whole, text...), nil
}

// appendText writes the inside of a JSON string.
func appendText(whole, secret []byte) []byte {
	for _, c := range secret {
		switch {
		case c == '"' || c == '\\':
			whole = append(whole, '\\', c)
		case c < ' ':
			whole = fmt.Appendf(whole, `\u%04x`, c)
		default:
			whole = append(whole, c)
		}
	}
	return whole
}
