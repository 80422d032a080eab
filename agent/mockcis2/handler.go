package mockcis2

import (
	"encoding/json"
	"errors"
	"io"
	"log"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sirupsen/logrus"

	"authbridge/agent/cis2"
)

// route is one row of what is answered.
type route struct {
	pattern string // method and path
	door    door
	handle  http.HandlerFunc
}

func (s *Server) table() []route {
	const realm = cis2.RealmPath
	return []route{
		{"GET " + realm + "/.well-known/openid-configuration", public, s.discovery},
		{"GET " + realm + "/connect/jwk_uri", public, s.jwks},
		{"GET " + realm + "/authorize", front, s.authorize},
		{"POST " + realm + "/authorize", front, s.authorize},
		{"POST " + realm + "/access_token", servers, s.token},
		{"GET " + realm + "/userinfo", servers, s.userinfo},
		{"POST " + realm + "/userinfo", servers, s.userinfo},
		{"GET " + realm + "/connect/endSession", front, s.endSession},
		{"POST " + realm + "/connect/endSession", front, s.endSession},

		{"GET /signin/{id}", inside, s.showLogin},
		{"POST /signin/{id}", inside, s.answerLogin},
		{"GET /signin/{id}/wait", inside, s.waitLogin},
		{"GET /signin/{id}/continue", inside, s.continueLogin},
		{"POST /signout", inside, s.signOut},

		{"GET /register", front, s.chooseRegistration},
		{"POST /register", inside, s.beginRegistration},
		{"GET /register/{id}", inside, s.showRegistration},
		{"POST /register/{id}", inside, s.finishRegistration},

		{"GET /proof/{reference}", servers, s.challenge},
		{"POST /proof", servers, s.proof},
		{"GET /{$}", front, s.home},
	}
}

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for _, r := range s.table() {
		mux.HandleFunc(r.pattern, func(w http.ResponseWriter, req *http.Request) {
			if !r.door.opens(req, s.origin) {
				s.config.Log.WithField("path", r.pattern).Info("mock: a request of another page is refused")
				s.sorry(w, req, http.StatusForbidden, "This is not reached from where you come from.")
				return
			}
			r.handle(w, req)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, req *http.Request) {
		s.sorry(w, req, http.StatusNotFound, "There is nothing here.")
	})
	return mux
}

// Handler answers requests. Who serves it bounds headers and times, as [Server.Serve] does.
func (s *Server) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header())
		if skew := s.faultsOf("", "").skew(); skew != 0 {
			w.Header().Set("Date", s.config.Now().Add(skew).UTC().Format(http.TimeFormat))
		}
		if !s.knows(r.Host) {
			s.sorry(w, r, http.StatusMisdirectedRequest, "This server is reached as "+s.config.Base+" alone.")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, mostBody)
		s.mux.ServeHTTP(w, r)
	})
}

// quiet takes what net/http says of connections, whose text it does not know.
func quiet(to logrus.FieldLogger) *log.Logger {
	return log.New(writer(func(p []byte) { to.Debug("mock: " + strings.TrimSpace(string(p))) }), "", 0)
}

type writer func([]byte)

func (w writer) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}

func wantsJSON(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Accept"), "application/json")
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// form reads a body of form fields, and nothing of the query.
func form(r *http.Request) (url.Values, *oauthError) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, refuse(invalidRequest, "content type: allowed is application/x-www-form-urlencoded")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, refuse(invalidRequest, "the body is cut off or too long")
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, refuse(invalidRequest, "the body is not of form fields")
	}
	return values, nil
}

// readJSON reads a body that has the fields of v and no other.
func readJSON(r *http.Request, v any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return errors.New("content type: allowed is application/json")
	}
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return errors.New("the body has not the form that is asked for")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the body")
	}
	return nil
}

// stall does what the faults slow and 500 do, and is whether there is still
// something to answer.
func (s *Server) stall(w http.ResponseWriter, r *http.Request, f faults) bool {
	if slow, ok := f.find(Slow); ok {
		select {
		case <-s.config.After(slow.Amount):
		case <-r.Context().Done():
			return false
		}
	}
	if f.has(InternalError) {
		writeJSON(w, http.StatusInternalServerError, refuse(serverError, "asked for by a fault"))
		return false
	}
	return true
}

func seconds(t time.Time) int64 { return t.Unix() }
