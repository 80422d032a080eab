package contract

// Problem is an RFC 9457 problem with our failure code.
type Problem struct {
	Type   string  `json:"type" doc:"urn:authbridge:problem:CODE"`
	Title  string  `json:"title"`
	Status int     `json:"status"`
	Code   string  `json:"code"`
	Detail string  `json:"detail,omitempty" doc:"what was given and what is allowed; never a secret, never a whole body"`
	Remedy string  `json:"remedy"`
	Fields []Field `json:"fields,omitempty"`
	// DOMException is for who stands in for navigator.credentials.
	DOMException string `json:"dom_exception,omitempty" doc:"name of the DOMException that a browser would throw"`
	// RequestID is in the daemon's log too.
	RequestID string `json:"request_id,omitempty"`
}

// Field is one bad field of a request. It never repeats the value of a body
// field, which may be a secret.
type Field struct {
	Location string `json:"location" doc:"query.aal, body.name, path.id"`
	Message  string `json:"message" doc:"what is allowed"`
}

// Error makes a Problem an error.
func (p *Problem) Error() string {
	if p.Detail != "" {
		return p.Title + ": " + p.Detail
	}
	return p.Title
}
