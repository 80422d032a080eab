package api

import (
	"context"
	"errors"
	"log"
	"net/http"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// sayEvery bounds the log lines that somebody who only knocks can cause.
const sayEvery = 10 * time.Second

// limiter lets one line a kind through in each sayEvery, and counts the rest.
// Kinds are failure codes, so it stays small.
type limiter struct {
	now func() time.Time

	mu    sync.Mutex
	kinds map[failure.Code]*quiet
}

type quiet struct {
	until   time.Time
	dropped int
}

func newLimiter() *limiter {
	return &limiter{now: time.Now, kinds: make(map[failure.Code]*quiet)}
}

// allow says whether to write, and how many lines were dropped before.
func (l *limiter) allow(kind failure.Code) (dropped int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	q := l.kinds[kind]
	if q == nil {
		q = &quiet{}
		l.kinds[kind] = q
	}
	if now.Before(q.until) {
		q.dropped++
		return 0, false
	}
	dropped, q.dropped, q.until = q.dropped, 0, now.Add(sayEvery)
	return dropped, true
}

// refused notes a request that was turned away. The line holds our words and
// no text of the caller's: neither path, query, header nor body.
func (s *Server) refused(r *http.Request, route string, e *failure.Error) {
	s.meters.refused(e.Code)
	dropped, ok := s.limiter.allow(e.Code)
	if !ok {
		return
	}
	fields := logrus.Fields{"code": e.Code, "request_id": contract.RequestID(r.Context())}
	if e.Field != "" {
		fields["field"] = e.Field
	}
	if route != "" {
		fields["route"] = route
	}
	if dropped > 0 {
		fields["also_refused"] = dropped
	}
	if e.Err != nil {
		fields[logrus.ErrorKey] = e.Err
	}
	s.config.Log.WithFields(fields).Warn("request refused")
}

// served notes a state change; reads are for debugging only.
func (s *Server) served(r *http.Request, row route, status int) {
	level := logrus.DebugLevel
	if stateChanging(r.Method) {
		level = logrus.InfoLevel
	}
	if !s.config.Log.Logger.IsLevelEnabled(level) {
		return
	}
	s.config.Log.WithFields(logrus.Fields{
		"request_id": contract.RequestID(r.Context()), "caller": callerOf(r.Context()).Name,
		"method": row.method, "route": row.path, "status": status,
	}).Log(level, row.id)
}

// failed notes the cause that an answer does not tell: the caller gets the
// request id, and its remedy is to look here.
func (s *Server) failed(ctx context.Context, err error) {
	var known *failure.Error
	if errors.As(err, &known) {
		err = known.Err
	}
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return
	}
	s.config.Log.WithError(err).WithField("request_id", contract.RequestID(ctx)).Error("a request could not be carried out")
}

// quietLog takes what net/http says of broken connections. It is not our
// words, so it is for debugging only.
func quietLog(entry *logrus.Entry) *log.Logger {
	return log.New(debugWriter{entry}, "", 0)
}

type debugWriter struct{ entry *logrus.Entry }

// Write logs one line.
func (d debugWriter) Write(line []byte) (int, error) {
	d.entry.WithField("http", string(line)).Debug("http server")
	return len(line), nil
}
