import { graphql } from 'relay-runtime';

export const cases = graphql`
  query CaseListQuery($count: Int!, $state: ModerationCaseState, $cursor: String) {
    moderationCases(first: $count, state: $state, after: $cursor) {
      cases {
        ...CaseLine_case
      }
      hasNextPage
      endCursor
    }
  }
`;

export const resolve = graphql`
  mutation CaseListResolveMutation($input: ModerationCaseResolveInput!) {
    moderationCaseResolve(input: $input) {
      case {
        ...CaseLine_case
      }
      errors {
        code
        message
        pluginCode
      }
    }
  }
`;
