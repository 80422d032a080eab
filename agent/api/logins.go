package api

import (
	"context"
	"net/http"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// maxLoginWait is how long a look at a login run may be held.
const maxLoginWait = 2 * time.Minute

// LoginID is exported because huma sees into no other embedded struct.
type LoginID struct {
	ID string `path:"id" maxLength:"64" doc:"of the login run"`
}

type loginsOutput struct{ Body []contract.Login }

type loginOutput struct{ Body contract.Login }

// listLogins leaves the steps out: of hundreds of runs they are megabytes.
func (s *Server) listLogins(ctx context.Context, _ *struct{}) (*loginsOutput, error) {
	list, err := s.config.Logins.Logins(ctx)
	if err != nil {
		return nil, err
	}
	list = orEmpty(list)
	shown := s.loginsFor(ctx)
	for i, l := range list {
		l.Steps = nil
		_, owner, err := s.config.Logins.Login(ctx, l.ID)
		list[i] = shown(l, owner, err == nil)
	}
	return &loginsOutput{Body: list}, nil
}

type getLoginInput struct {
	LoginID
	Wait string `query:"wait" maxLength:"16" doc:"hold the call until the run is over or this time is up: a Go duration such as 30s, at most 2m"`
}

func (s *Server) getLogin(ctx context.Context, in *getLoginInput) (*loginOutput, error) {
	wait, err := parseWait(in.Wait, maxLoginWait)
	if err != nil {
		return nil, err
	}
	l, owner, err := s.login(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if wait > 0 && !l.State.Over() {
		if err := holdFor(ctx, s, s.config.Logins, in.ID, wait); err != nil {
			return nil, err
		}
		if l, owner, err = s.login(ctx, in.ID); err != nil {
			return nil, err
		}
	}
	return &loginOutput{Body: s.loginsFor(ctx)(l, owner, true)}, nil
}

type beginLoginInput struct{ Body contract.LoginRequest }

type beginLoginOutput struct {
	Status int
	Body   contract.Login
}

// beginLogin begins one, and stays with it if the caller does.
func (s *Server) beginLogin(ctx context.Context, in *beginLoginInput) (*beginLoginOutput, error) {
	request := in.Body
	if pin := takePIN(ctx); request.PIN != nil {
		request.PIN.Value = pin
	}
	if id, access := takeTokens(ctx); request.Tokens != nil {
		request.Tokens.IDToken, request.Tokens.AccessToken = id, access
	}
	if by := callerOf(ctx); by.Lease != "" && request.Mode != contract.DriveTokens {
		request.Wipe()
		return nil, refuse(failure.Forbidden, "body.mode", "a login takes a lease of its own: run it outside of `authbridge lease`. By a lease's token only tokens can be judged (mode tokens)")
	}
	held, release := ctx, func() {}
	if request.Wait {
		var err error
		if held, release, err = s.hold(ctx); err != nil {
			request.Wipe()
			return nil, err
		}
	}
	defer release()
	l, err := s.config.Logins.Begin(ctx, callerOf(ctx).asks(), request) // PIN and tokens are theirs from here on
	if err != nil {
		return nil, err
	}
	if !request.Wait {
		return &beginLoginOutput{Status: http.StatusAccepted, Body: s.ownLogin(ctx, l)}, nil
	}
	over, err := stayWith(ctx, held, s, s.config.Logins, l.ID)
	if err != nil {
		return nil, err
	}
	return &beginLoginOutput{Status: http.StatusOK, Body: s.ownLogin(ctx, over)}, nil
}

type orderLoginInput struct {
	LoginID
	Body *struct{}
}

func (s *Server) cancelLogin(ctx context.Context, in *orderLoginInput) (*loginOutput, error) {
	if err := s.checkAsked(ctx, in.ID); err != nil {
		return nil, err
	}
	l, err := s.config.Logins.Cancel(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &loginOutput{Body: s.ownLogin(ctx, l)}, nil
}

type reportLoginInput struct {
	LoginID
	Format contract.LoginReportForm `query:"format" enum:"json,junit,html" default:"json" doc:"json, junit (XML) or html"`
}

// reportOutput is a file to be kept: whatever it holds, no browser renders it
// as a page of ours, and a page that is opened nevertheless runs nothing.
type reportOutput struct {
	ContentType string `header:"Content-Type"`
	Disposition string `header:"Content-Disposition"`
	Policy      string `header:"Content-Security-Policy"`
	Body        []byte
}

// reportPolicy is that of every answer, and lets the page look as it should.
const reportPolicy = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; style-src 'unsafe-inline'; sandbox"

func (s *Server) reportLogin(ctx context.Context, in *reportLoginInput) (*reportOutput, error) {
	if err := s.checkAsked(ctx, in.ID); err != nil {
		return nil, err
	}
	body, kind, err := s.config.Logins.Report(ctx, in.ID, in.Format)
	if err != nil {
		return nil, err
	}
	return &reportOutput{ContentType: kind, Disposition: attached(in.ID, in.Format), Policy: reportPolicy, Body: body}, nil
}

func (s *Server) login(ctx context.Context, id string) (contract.Login, contract.Owner, error) {
	l, owner, err := s.config.Logins.Login(ctx, id)
	if failure.CodeOf(err) == failure.LoginUnknown {
		err = refuse(failure.LoginUnknown, "path.id", "GET /v1/logins lists those there are")
	}
	return l, owner, err
}

// checkAsked refuses who has not asked for a login run.
func (s *Server) checkAsked(ctx context.Context, id string) error {
	l, owner, err := s.login(ctx, id)
	if err != nil {
		return err
	}
	if !callerOf(ctx).owner().Owns(owner) {
		return refuse(failure.LoginNotYours, "path.id", "it was asked for by "+l.Holder)
	}
	return nil
}

// loginsFor shows login runs as the caller may see them.
func (s *Server) loginsFor(ctx context.Context) func(l contract.Login, owner contract.Owner, known bool) contract.Login {
	by, identity := callerOf(ctx).owner(), mayIdentify(ctx)
	r := scrubber(s.config.Inventory.View())
	return func(l contract.Login, owner contract.Owner, known bool) contract.Login {
		if !known || !by.Owns(owner) {
			l = l.Public()
		}
		if !identity {
			l = maskLogin(l, r)
		}
		l.Steps = orEmpty(l.Steps)
		return l
	}
}

// ownLogin is a login run as who asked for it, and calls, may see it.
func (s *Server) ownLogin(ctx context.Context, l contract.Login) contract.Login {
	return s.loginsFor(ctx)(l, callerOf(ctx).asks().Owner, true)
}
