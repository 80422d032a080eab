package mockcis2

// oauthError is an error as RFC 6749, 4.1.2.1 and 5.2, and OpenID Connect Core
// 1.0, 3.1.2.6 name them. The description never repeats what was sent.
type oauthError struct {
	Code        string `json:"error"`
	Description string `json:"error_description,omitempty"`
}

func (e *oauthError) Error() string { return e.Code + ": " + e.Description }

// The codes.
const (
	invalidRequest         = "invalid_request"
	invalidClient          = "invalid_client"
	invalidGrant           = "invalid_grant"
	invalidScope           = "invalid_scope"
	invalidToken           = "invalid_token"
	unsupportedGrant       = "unsupported_grant_type"
	unsupportedResponse    = "unsupported_response_type"
	accessDenied           = "access_denied"
	serverError            = "server_error"
	loginRequired          = "login_required"
	interactionRequired    = "interaction_required"
	requestNotSupported    = "request_not_supported"
	requestURINotSupported = "request_uri_not_supported"
	unmetRequirements      = "unmet_authentication_requirements" // OpenID Connect Core Error Code unmet_authentication_requirements 1.0
)

func refuse(code, description string) *oauthError { return &oauthError{code, description} }
