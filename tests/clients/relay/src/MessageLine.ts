import { graphql } from 'relay-runtime';

export const message = graphql`
  fragment MessageLine_message on Message {
    id
    body
    sequence
    createdAt
    sender {
      ...UserName_user
    }
    replyTo {
      id
      body
    }
    moderationCase {
      id
      outcome
    }
    linkPreviews {
      url
      title
    }
  }
`;
