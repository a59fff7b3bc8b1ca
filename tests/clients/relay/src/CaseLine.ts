import { graphql } from 'relay-runtime';

export const line = graphql`
  fragment CaseLine_case on ModerationCase {
    id
    outcome
    state
    found
    openedAt
    user {
      ...UserName_user
    }
    message {
      id
      body
    }
  }
`;
