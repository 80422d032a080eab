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

// encode makes the body of a request. A PIN is put into it only when the rest
// is there, because encoding/json keeps its buffers.
func encode(body any) ([]byte, error) {
	var pin []byte
	marked, mark := false, contract.Secret(rand.Text())
	switch b := body.(type) {
	case contract.CeremonyRequest:
		if b.PIN != nil && len(b.PIN.Value) > 0 {
			source := *b.PIN
			marked, pin, source.Value = true, source.Value, mark
			b.PIN = &source
			body = b
		}
	case contract.PINAnswer:
		marked, pin, body = true, b.PIN, contract.PINAnswer{PIN: mark}
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encode the request: %w", err)
	}
	if !marked {
		return text, nil
	}
	if !utf8.Valid(pin) {
		return nil, &UsageError{"PIN", "it is no text in UTF-8"}
	}
	before, after, _ := bytes.Cut(text, mark)
	const escaped = 6
	whole := make([]byte, 0, len(text)+escaped*len(pin)) // it never grows
	whole = append(whole, before...)
	for _, c := range pin {
		switch {
		case c == '"' || c == '\\':
			whole = append(whole, '\\', c)
		case c < ' ':
			whole = fmt.Appendf(whole, `\u%04x`, c)
		default:
			whole = append(whole, c)
		}
	}
	return append(whole, after...), nil
}
