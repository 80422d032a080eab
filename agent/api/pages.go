package api

import (
	"context"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

type openPageInput struct{ Body *struct{} }

type openPageOutput struct{ Body contract.NewPage }

// openPage hands out the way into the page. A page opens no page: who closes
// the browser has closed what it held.
func (s *Server) openPage(ctx context.Context, _ *openPageInput) (*openPageOutput, error) {
	caller := callerOf(ctx)
	if err := opener(caller); err != nil {
		return nil, err
	}
	url := s.url.Load()
	if url == nil {
		return nil, refuse(failure.Conflict, "", "this daemon listens on no address that a browser could ask")
	}
	made, ok := s.pages.open(caller)
	if !ok {
		return nil, tooManyPages()
	}
	made.URL = *url + "/"
	return &openPageOutput{Body: made}, nil
}

// opener refuses who has rights in another's place only.
func opener(caller Caller) error {
	if caller.page != nil || caller.Lease != "" {
		return refuse(failure.Forbidden, "", "a page is opened by a token or a user, not by a page or the token of a lease")
	}
	return nil
}

func tooManyPages() error {
	return refuse(failure.TooManyStreams, "", "as many pages as this daemon keeps are open")
}

type beginPageInput struct{ Body *struct{} }

type beginPageOutput struct{ Body contract.PageSession }

// beginPage opens the page of who handed the code out. The code is used up
// whatever comes of it.
func (s *Server) beginPage(ctx context.Context, _ *beginPageInput) (*beginPageOutput, error) {
	by := callerOf(ctx)
	if by.code != nil {
		var ok bool
		if by, ok = s.pages.swap(by.code); !ok {
			return nil, refuse(failure.Unauthorized, "header.Authorization", "the code was used already, or its minute is over")
		}
	}
	if err := opener(by); err != nil {
		return nil, err
	}
	by, ok := s.bounded(by)
	if !ok {
		return nil, rightsLost(by)
	}
	secret, page, ok := s.pages.begin(by)
	if !ok {
		return nil, tooManyPages()
	}
	return &beginPageOutput{Body: contract.PageSession{
		Token: secret, Rights: orEmpty(page.Rights), Targets: s.config.Targets, Virtual: s.config.Virtual != nil, Version: s.config.Version,
	}}, nil
}

type getPageInput struct {
	ID   string `path:"id" maxLength:"64" doc:"of the page"`
	Wait string `query:"wait" maxLength:"16" doc:"hold the call until a browser has come or this time is up: a Go duration such as 60s, at most 1m"`
}

type pageOutput struct{ Body contract.Page }

// getPage is for who asked for the page, and says nothing of others'.
func (s *Server) getPage(ctx context.Context, in *getPageInput) (*pageOutput, error) {
	wait, err := parseWait(in.Wait, codeTime)
	if err != nil {
		return nil, err
	}
	page, opened, ok := s.pages.find(in.ID, callerOf(ctx))
	if ok && wait > 0 && page.State == contract.PageWaiting {
		held, release, err := s.hold(ctx)
		if err != nil {
			return nil, err
		}
		defer release()
		held, cancel := context.WithTimeout(held, wait)
		defer cancel()
		select {
		case <-opened:
		case <-held.Done():
		}
		if err := cutShort(held); err != nil {
			return nil, err
		}
		page, _, ok = s.pages.find(in.ID, callerOf(ctx))
	}
	if !ok {
		return nil, refuse(failure.NotFound, "path.id", "no page with that id was asked for by you of late")
	}
	return &pageOutput{Body: page}, nil
}
