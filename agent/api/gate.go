package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path"
	"runtime"
	"slices"
	"strings"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// gate is the multiplexer that huma registers on. It lets nothing in that has
// no row in the route table, and asks the row's right before the handler.
type gate struct {
	server *Server
	rows   map[string]route
	// allowed are the methods of each path, for 405.
	paths   *http.ServeMux
	allowed map[string][]string
	mux     *http.ServeMux
}

func newGate(s *Server, table []route) *gate {
	g := &gate{
		server: s, rows: make(map[string]route, len(table)),
		paths: http.NewServeMux(), allowed: make(map[string][]string), mux: http.NewServeMux(),
	}
	for _, r := range table {
		g.rows[r.pattern()] = r
		if _, seen := g.allowed[r.path]; !seen {
			g.paths.Handle(r.path, http.NotFoundHandler())
		}
		g.allowed[r.path] = append(g.allowed[r.path], r.method)
	}
	g.mux.HandleFunc("/", g.nowhere)
	return g
}

// HandleFunc is called by huma for each operation. A pattern without a row is
// a mistake of the programmer's and ends the start.
func (g *gate) HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request)) {
	row, ok := g.rows[pattern]
	if !ok || !slices.Contains(contract.Rights, row.right) {
		panic(fmt.Sprintf("api: %s has no row with a right in the route table", pattern))
	}
	meter := g.server.meters.route(row)
	g.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		if caller := callerOf(r.Context()); caller.may(row) {
			g.pass(w, r, row, handler)
		} else {
			needs := row.right
			if row.forUsers != "" && caller.isUser() {
				needs = row.forUsers
			}
			e := refuse(failure.Forbidden, "", fmt.Sprintf("%s needs the right %s; %s has %s", pattern, needs, caller.Name, rightsText(caller.Rights)))
			g.server.refused(r, row.path, e)
			problemOf(r.Context(), e).write(w)
		}
		status := statusOf(w)
		meter.observe(status, time.Since(started))
		g.server.served(r, row, status)
	})
}

// pass calls the handler of a row. Where the body may hold secrets the handler
// finds them beside the body, and what it leaves there is wiped.
func (g *gate) pass(w http.ResponseWriter, r *http.Request, row route, handler http.HandlerFunc) {
	body, sent := r.Body.(*sentBody)
	if !row.pin || !sent {
		handler(w, r)
		return
	}
	held, e := cutSecrets(body.text)
	if e != nil {
		problemOf(r.Context(), e).write(w)
		return
	}
	defer held.wipe()
	handler(w, r.WithContext(context.WithValue(r.Context(), secretsKey{}, held)))
}

// ServeHTTP routes a request that the guard let through.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.mux.ServeHTTP(w, r) }

// nowhere answers what no row has.
func (g *gate) nowhere(w http.ResponseWriter, r *http.Request) {
	if _, pattern := g.paths.Handler(r); pattern != "" {
		methods := strings.Join(g.allowed[pattern], ", ")
		w.Header().Set("Allow", methods)
		problemOf(r.Context(), refuse(failure.MethodNotAllowed, "method", "allowed here: "+methods)).write(w)
		return
	}
	problemOf(r.Context(), refuse(failure.NotFound, "path", "there is nothing at this path; GET /openapi.json lists what there is")).write(w)
}

// cleanPath is whether the multiplexer would take the path as it is. It would
// answer others by a redirect, and a redirect is an answer nobody asked for.
func cleanPath(p string) bool {
	return strings.HasPrefix(p, "/") && path.Clean(p) == p
}

func rightsText(rights []contract.Right) string {
	if len(rights) == 0 {
		return "no right"
	}
	words := make([]string, len(rights))
	for i, r := range rights {
		words[i] = string(r)
	}
	return strings.Join(words, ", ")
}

// recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int
}

// WriteHeader notes the status.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write notes the implied 200.
func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController through to Flush and the deadlines.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func statusOf(w http.ResponseWriter) int {
	if r, ok := w.(*recorder); ok && r.status != 0 {
		return r.status
	}
	return http.StatusOK
}

// panicText is what of a panic may be logged: a value of ours or of a library
// could hold a request's content.
func panicText(v any) string {
	var fault runtime.Error
	if err, ok := v.(error); ok && errors.As(err, &fault) {
		return fault.Error()
	}
	return fmt.Sprintf("%T", v)
}
