/** Why a leader cannot change the members now: its no-op is not committed, or another change is under way, or it hands over. */
export type Obstacle = 'not-leading' | 'no-op' | 'change' | 'handing-over';
