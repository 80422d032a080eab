package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"syscall"

	"github.com/danielgtaylor/huma/v2"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/store"
)

const problemType = "application/problem+json"

// Problem is contract.Problem as huma wants its errors.
type Problem struct{ contract.Problem }

// GetStatus makes it a huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is that of RFC 9457, section 3.
func (p *Problem) ContentType(string) string { return problemType }

// problemOf puts a failure into the words of the registry.
func problemOf(ctx context.Context, e *failure.Error) *Problem {
	p := &Problem{e.Problem()}
	p.RequestID = contract.RequestID(ctx)
	return p
}

// problemFrom turns whatever a handler returned into a problem. Only a
// failure.Error was made for a caller's eyes; the text of any other error
// stays in the log.
func problemFrom(ctx context.Context, err error) *Problem {
	var ready *Problem
	if errors.As(err, &ready) {
		return ready
	}
	if errors.Is(err, store.ErrFull) || errors.Is(err, syscall.ENOSPC) {
		return problemOf(ctx, refuse(failure.DiskFull, "", "what was asked for could not be written down"))
	}
	var known *failure.Error
	if errors.As(err, &known) {
		return problemOf(ctx, known)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return problemOf(ctx, refuse(failure.RequestTimeout, "", "the call ended before the answer was there"))
	}
	return problemOf(ctx, refuse(failure.Internal, "", ""))
}

// write sends a problem outside huma: from the guard and the router.
func (p *Problem) write(w http.ResponseWriter) {
	body, err := json.Marshal(p.Problem)
	if err != nil { // it holds strings and numbers only
		body = nil
	}
	w.Header().Set("Content-Type", problemType)
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(body, '\n'))
}

// setUpHuma sets what huma keeps in variables of the process. Its own error
// maker echoes the offending value, for an unknown field the whole body: a PIN
// would come back in the answer (DESIGN rule 2).
var setUpHuma = sync.OnceFunc(func() {
	huma.DefaultArrayNullable = false // our lists are never null
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		return humaProblem(context.Background(), status, msg, errs)
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, msg string, errs ...error) huma.StatusError {
		return humaProblem(ctx.Context(), status, msg, errs)
	}
})

func humaProblem(ctx context.Context, status int, msg string, errs []error) *Problem {
	switch {
	case status == 0: // huma asks for an example, to learn the schema
		return &Problem{}
	case status == http.StatusRequestEntityTooLarge:
		return problemOf(ctx, refuse(failure.BodyTooLarge, "body", ""))
	case status == http.StatusUnsupportedMediaType:
		return problemOf(ctx, refuse(failure.UnsupportedMediaType, "header.Content-Type", "allowed: application/json"))
	case status >= http.StatusInternalServerError || len(errs) == 1 && !isDetail(errs[0]):
		var err error
		if len(errs) > 0 {
			err = errs[0]
		}
		return problemFrom(ctx, err)
	case len(errs) == 0:
		return problemOf(ctx, refuse(failure.BadRequest, "body", msg)) // huma's own words: "request body is required"
	}
	p := problemOf(ctx, refuse(failure.BadRequest, "", ""))
	for _, err := range errs {
		p.Fields = append(p.Fields, fieldOf(err))
	}
	said := make([]string, len(p.Fields))
	for i, f := range p.Fields {
		said[i] = f.Location + ": " + f.Message
	}
	p.Detail = strings.Join(said, "; ")
	return p
}

func isDetail(err error) bool {
	var d huma.ErrorDetailer
	return errors.As(err, &d)
}

// fieldOf keeps the place of a bad field and what is allowed there. It drops
// the value, and every message that could hold a part of one.
func fieldOf(err error) contract.Field {
	var detailer huma.ErrorDetailer
	if !errors.As(err, &detailer) {
		return contract.Field{Location: "body", Message: "not as expected"}
	}
	d := detailer.ErrorDetail()
	f := contract.Field{Location: place(d.Location), Message: "not valid JSON, or of another type than expected"}
	switch {
	// These are huma's fixed sentences and say what the schema allows.
	case strings.HasPrefix(d.Message, "expected "), strings.HasPrefix(d.Message, "required "),
		d.Message == "unknown query parameter", d.Message == "invalid integer":
		f.Message = d.Message
	case d.Message == "unexpected property":
		f.Message = "there is no such field"
	}
	if strings.HasPrefix(d.Location, "query.") && d.Value != nil {
		f.Message += given(fmt.Sprint(d.Value))
	}
	return f
}

// given repeats the value of a query parameter, which is no secret, if it can
// be read in one line.
func given(value string) string {
	const most = 32
	for _, r := range value {
		if r < ' ' || r > '~' {
			return ""
		}
	}
	if value == "" || len(value) > most {
		return ""
	}
	return "; given: " + value
}

// place makes a location safe to repeat: the name of an unknown field is the
// caller's text, and could be anything.
func place(location string) string {
	parts := strings.Split(location, ".")
	for i := range parts {
		parts[i] = word(parts[i])
	}
	return strings.Join(parts, ".")
}

// word is s if it looks like a name, else a placeholder.
func word(s string) string {
	if len(s) == 0 || len(s) > 40 {
		return "?"
	}
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_' || r == '-'
		if !letter && (i == 0 || (r < '0' || r > '9') && r != '[' && r != ']') {
			return "?"
		}
	}
	return s
}
