package contract

import "time"

// NewPage is the way into the diagnostics page, for one browser: its opener
// hands the code over in the fragment of the page's address.
type NewPage struct {
	Page
	// Code is used up by the first who swaps it.
	Code string `json:"code" doc:"one-time code: for the fragment of the address, and nowhere else"`
	URL  string `json:"url" doc:"address of the page, without the code"`
}

// Entrance is the address of the page with the code in its fragment, which no
// browser sends to anybody.
func (p NewPage) Entrance() string { return p.URL + "#code=" + p.Code }

// PageState is how far the opening of a page has come.
type PageState string

// The states of a page that was asked for.
const (
	PageWaiting PageState = "waiting" // no browser has come yet
	PageOpened  PageState = "opened"  // the code was swapped for a session
	PageExpired PageState = "expired" // nobody came in time
)

// Page is a page that was asked for.
type Page struct {
	ID        string    `json:"id"`
	State     PageState `json:"state" enum:"waiting,opened,expired"`
	ExpiresAt time.Time `json:"expires_at" doc:"when the code stops being of use"`
}

// PageSession is what the page has while it is open. It lives in the daemon's
// memory: it ends with the daemon, with what opened it, and when it is not used.
type PageSession struct {
	Token  string  `json:"token" doc:"sent as Authorization, as any token"`
	Rights []Right `json:"rights" doc:"those of who opened the page, without admin, identity and physical"`
	// Targets are those that readiness may be asked for.
	Targets []string `json:"targets"`
	Virtual bool     `json:"virtual" doc:"whether virtual authenticators are on"`
	Version string   `json:"version" doc:"of the daemon"`
}
