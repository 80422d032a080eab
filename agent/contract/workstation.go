package contract

// HelloReport is what a program in a user's Windows session was told by Windows
// about Windows Hello. It is that user's word.
type HelloReport struct {
	API       int  `json:"api_version" minimum:"0" maximum:"1000" doc:"of webauthn.dll; 0: there is none"`
	Available bool `json:"available" doc:"the user of the session has set it up"`
	Remote    bool `json:"remote,omitempty" doc:"the session is over remote desktop"`
}
